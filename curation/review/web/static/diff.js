// The word-by-word way from one text to another, for what is being typed. The server's own is show.diff_words.

const TOKEN = /\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0]|[\u{e0000}-\u{e007f}]/gu;
const MAX_STEPS = 1200;

// [["same", "a "], ["gone", "red"], ["new", "blue"], ...]; texts that differ too much come out whole.
export function diffWords(before, after) {
  const from = before.match(TOKEN) ?? [];
  const to = after.match(TOKEN) ?? [];
  let start = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start += 1;
  let end = 0;
  while (end < from.length - start && end < to.length - start && from.at(-1 - end) === to.at(-1 - end)) end += 1;
  const middle = shortest(from.slice(start, from.length - end), to.slice(start, to.length - end));
  return joined([...from.slice(0, start).map((word) => ["same", word]), ...middle, ...(end ? from.slice(-end) : []).map((word) => ["same", word])]);
}

// Myers' greedy algorithm: the furthest point on each diagonal, step by step, then the way back.
function shortest(from, to) {
  const size = from.length + to.length;
  let furthest = new Map([[1, 0]]);
  const trace = [];
  for (let steps = 0; steps <= Math.min(size, MAX_STEPS); steps += 1) {
    trace.push(new Map(furthest));
    for (let diagonal = -steps; diagonal <= steps; diagonal += 2) {
      let x = goesDown(furthest, diagonal, steps) ? furthest.get(diagonal + 1) : furthest.get(diagonal - 1) + 1;
      while (x < from.length && x - diagonal < to.length && from[x] === to[x - diagonal]) x += 1;
      furthest.set(diagonal, x);
      if (x >= from.length && x - diagonal >= to.length) return walkBack(from, to, trace);
    }
  }
  return [["gone", from.join("")], ["new", to.join("")]];
}

function goesDown(furthest, diagonal, steps) {
  return diagonal === -steps || (diagonal !== steps && (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1));
}

function walkBack(from, to, trace) {
  const changes = [];
  let x = from.length;
  let y = to.length;
  for (let steps = trace.length - 1; steps >= 0; steps -= 1) {
    const furthest = trace[steps];
    const diagonal = x - y;
    const previous = goesDown(furthest, diagonal, steps) ? diagonal + 1 : diagonal - 1;
    const previousX = furthest.get(previous) ?? 0;
    const previousY = previousX - previous;
    while (x > previousX && y > previousY && x > 0 && y > 0) {
      changes.push(["same", from[x - 1]]);
      x -= 1;
      y -= 1;
    }
    if (steps > 0) changes.push(x === previousX ? ["new", to[previousY]] : ["gone", from[previousX]]);
    x = previousX;
    y = previousY;
  }
  return changes.reverse();
}

// Neighbours of one kind become one; within a stretch of changes, what goes stands before what comes.
function joined(changes) {
  const result = [];
  let gone = "";
  let fresh = "";
  const flush = () => {
    if (gone) result.push(["gone", gone]);
    if (fresh) result.push(["new", fresh]);
    gone = fresh = "";
  };
  for (const [kind, text] of changes) {
    if (kind === "gone") gone += text;
    else if (kind === "new") fresh += text;
    else {
      flush();
      if (result.at(-1)?.[0] === "same") result.at(-1)[1] += text;
      else result.push(["same", text]);
    }
  }
  flush();
  return result;
}

export function showDiff(target, before, after) {
  target.replaceChildren(...diffWords(before, after).map(([kind, text]) => {
    const element = document.createElement(kind === "gone" ? "del" : kind === "new" ? "ins" : "span");
    for (const part of revealed(text)) element.append(part);
    return element;
  }));
}

// A text with badges in place of characters that cannot be seen.
function revealed(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(HIDDEN)) {
    const badge = document.createElement("span");
    badge.className = "hidden";
    badge.textContent = `U+${found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    parts.push(text.slice(at, found.index), badge);
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}
