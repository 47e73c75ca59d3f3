// Requests to the server that this page came from. All addresses are relative: the token is a part of the page's own.

export class Failed extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

async function send(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed("the server does not respond: is arttl review still running?", 0);
  }
  if (response.ok) return response;
  let sentence = `the server answered ${response.status}`;
  try {
    sentence = (await response.json()).error;
  } catch { /* no JSON: the status has to do */ }
  throw new Failed(sentence, response.status);
}

function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== "");
  return new URLSearchParams(given).toString();
}

export async function get(name, values = {}, signal = undefined) {
  return (await send(`api/${name}?${query(values)}`, { signal })).json();
}

export async function rowNumbers(values, signal) {
  const response = await send(`api/queue?${query(values)}`, { signal });
  return new Int32Array(await response.arrayBuffer()); // little-endian, as every machine with a browser is
}

export async function post(name, body) {
  const headers = { "content-type": "application/json" };
  return (await send(`api/${name}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

export const picture = (row, size) => `pictures/rows/${row}/${size}`;
export const sample = (number, size) => `pictures/samples/${number}/${size}`;
export const map = (row, task) => `maps/${row}/${encodeURIComponent(task)}`;
