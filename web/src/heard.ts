/** Where in a reply's written text the words that were heard end. */

/**
 * Divides `text` behind the last letter of `heard`. What is spoken differs from what is written in Markdown, spaces and
 * punctuation, so only letters and digits are compared, in order; a word that is spoken otherwise ("12" as "twelve") is
 * skipped on the spoken side.
 */
export function splitHeard(text: string, heard: string): [heard: string, unheard: string] {
  const words = heard.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const lower = text.toLowerCase();
  let end = 0;
  for (const word of words) {
    const at = indexOfWord(lower, word, end);
    // A match far ahead is a chance one: the same word later in the reply.
    if (at !== -1 && at - end <= 40) end = at + word.length;
  }
  if (end > 0) end += /^[^\p{L}\p{N}\s]*/u.exec(text.slice(end))?.[0].length ?? 0;
  return [text.slice(0, end), text.slice(end)];
}

function indexOfWord(text: string, word: string, from: number): number {
  for (let at = text.indexOf(word, from); at !== -1; at = text.indexOf(word, at + 1)) {
    const before = text[at - 1] ?? " ";
    const after = text[at + word.length] ?? " ";
    if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) return at;
  }
  return -1;
}
