"use strict";
// Words of one text that another lacks, by their longest common subsequence; nothing is marked where little is shared.
const LONGEST_DIFF = 500;
const LEAST_SHARED = 0.2;
const wordsOf = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
const commonWords = (left, right) => {
  const table = Array.from({length: left.length + 1}, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      table[i][j] = left[i] === right[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  const kept = [new Set(), new Set()];
  for (let i = 0, j = 0; i < left.length && j < right.length;) {
    if (left[i] === right[j]) {
      kept[0].add(i);
      kept[1].add(j);
      i += 1;
      j += 1;
    } else if (table[i + 1][j] >= table[i][j + 1]) i += 1;
    else j += 1;
  }
  return kept;
};
const writeMarked = (node, words, kept, tag) => {
  let run = "";
  let marked = false;
  const flush = () => {
    if (!run) return;
    if (marked) node.append(Object.assign(document.createElement(tag), {textContent: run}));
    else node.append(run);
    run = "";
  };
  words.forEach((word, index) => {
    const isNew = !kept.has(index);
    if (isNew !== marked) flush();
    marked = isNew;
    run += word;
  });
  flush();
};
const writeDiff = (before, after, texts) => {
  const words = texts.map(wordsOf);
  if (words.some((found) => found.length > LONGEST_DIFF || !found.length)) {
    before.append(texts[0]);
    after.append(texts[1]);
    return;
  }
  const kept = commonWords(words[0], words[1]);
  const isWord = (word) => /[\p{L}\p{N}]/u.test(word);
  const shared = words[0].filter((word, index) => isWord(word) && kept[0].has(index)).length;
  if (shared < LEAST_SHARED * Math.max(...words.map((found) => found.filter(isWord).length))) {
    before.append(texts[0]);
    after.append(texts[1]);
    return;
  }
  writeMarked(before, words[0], kept[0], "del");
  writeMarked(after, words[1], kept[1], "ins");
};
