// The words of queues, filters, orders and keys.

export const QUEUES = {
  agree: "all models differ from the catalogue",
  differs: "differs from the catalogue",
  empty: "catalogue is empty",
  unsure: "unsure",
  outside: "outside",
  audit: "audit",
  all: "all suggestions",
};
export const SHOWS = {
  open: "undecided",
  all: "all",
  decided: "decided",
  accepted: "accepted",
  corrected: "corrected",
  rejected: "rejected",
  skipped: "skipped",
  disputed: "reviewers differ",
};
export const ORDERS = { queue: "of the queue", sure: "surest first", doubt: "most doubtful first", file: "of the file" };
export const KEYS = [
  ["← → ↑ ↓", "another object; with Shift select"],
  ["Home, End, Page Up, Page Down", "first, last, a page"],
  ["1 to 9", "accept that candidate"],
  ["a", "accept what is suggested, of all selected objects where any are"],
  ["x", "reject it"],
  ["s", "skip: somebody else should look"],
  ["/", "another label, typed"],
  ["u", "undo the last decision"],
  ["n", "next undecided object"],
  ["g", "go to a number"],
  ["Space", "select or unselect; Ctrl+A the whole queue; Esc none"],
  ["m", "map of the task"],
  ["f, l", "search; filter by a label"],
  ["Enter, Esc", "open and close the object on a narrow screen"],
];
