export const count = {
  tallyWords(text) {
    const all = new Map();
    for (const word of text.split(/\s+/).filter(Boolean)) all.set(word, (all.get(word) ?? 0) + 1);
    return [...all].map(([word, count]) => ({ word, count }));
  },
  halve(number) {
    if (number % 2n) throw `${number} is odd`;
    return number / 2n;
  },
};

export function shout(text, times) {
  return text.toUpperCase().repeat(times ?? 1);
}
