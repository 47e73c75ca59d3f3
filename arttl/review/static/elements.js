// Elements from values: texts become text nodes, so that no label or title is ever read as HTML.

export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (name) => document.getElementById(name);

// A number as people write one: a year has no fraction.
export function rounded(number) {
  if (number === null) return "–";
  return `${Math.abs(number) < 1000 ? Number(number.toPrecision(4)) : Math.round(number)}`;
}

export const percent = (share) => (share === null ? "" : `${(100 * share).toFixed(1)}%`);

export const counted = (number) => number.toLocaleString("en");

export function labelsText(labels, nothing = "–") {
  return labels.length ? labels.join("; ") : nothing;
}

// `isExplained`: what is wrong with a picture that does not come stands in its place.
export function pictureFrame(address, description, { isExplained = false } = {}) {
  const frame = make("div", { className: "frame" });
  const image = make("img", { alt: description, decoding: "async" });
  image.addEventListener("error", async () => {
    frame.classList.add("missing");
    if (isExplained) frame.dataset.reason = await whyMissing(image.src);
  });
  image.src = address;
  frame.append(image);
  return frame;
}

async function whyMissing(address) {
  try {
    return `no picture: ${(await (await fetch(address)).json()).error}`;
  } catch {
    return "no picture";
  }
}

export const VERDICTS = {
  accepted: { mark: "✓", text: "accepted" },
  corrected: { mark: "✎", text: "corrected" },
  rejected: { mark: "✗", text: "rejected" },
  skipped: { mark: "↷", text: "skipped" },
  disputed: { mark: "≠", text: "reviewers differ" },
};

export function verdictOf(state) {
  if (!state) return null;
  if (state.disputed) return "disputed";
  return state.decision ? state.decision.verdict : null;
}
