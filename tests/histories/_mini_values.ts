/**
 * What the values of the model are made of.
 *
 * @module
 */

/** Items, each followed by a comma. */
export function joined(items: readonly string[]): string {
  return items.map((item) => `${item},`).join("");
}

/** Fields with their values, or members with their scores. */
export function pairs(value: string | undefined): [string, string][] {
  if (value === undefined) return [];
  return value.slice(1).split(",").slice(0, -1).map((item) =>
    item.split(" ") as [string, string]
  );
}

/** The numbers of a long value: the first one, and the one behind the last. */
export function numbersOf(value: string | undefined): [number, number] {
  if (value === undefined || !/^[LZ]/.test(value)) return [0, 0];
  return value.slice(1).split(",").map(Number) as [number, number];
}

/** Members in the order of a sorted set. */
export function ranked(
  scores: readonly [string, string][],
): [string, string][] {
  return [...scores].sort(([a, scoreA], [b, scoreB]) =>
    Number(scoreA) - Number(scoreB) || (a < b ? -1 : 1)
  );
}

/** ZUNION, ZINTER or ZDIFF of sorted sets. */
export function combineScores(
  name: string,
  sources: readonly (readonly [string, string][])[],
  aggregate: string,
): [string, string][] {
  const maps = sources.map((source) => new Map(source));
  const [first, ...others] = maps;
  const members = name.startsWith("ZUNION")
    ? new Set(maps.flatMap((map) => [...map.keys()]))
    : [...first!.keys()].filter((member) =>
      others.every((map) => map.has(member) === name.startsWith("ZINTER"))
    );
  const isDifference = name.startsWith("ZDIFF");
  const result = [...members].map((member): [string, string] => {
    const scores = (isDifference ? [first!] : maps)
      .filter((map) => map.has(member)).map((map) => Number(map.get(member)));
    return [member, String(aggregated(scores, aggregate))];
  });
  return ranked(result);
}

function aggregated(scores: readonly number[], aggregate: string): number {
  if (aggregate === "MIN") return Math.min(...scores);
  if (aggregate === "MAX") return Math.max(...scores);
  return scores.reduce((sum, score) => sum + score, 0);
}

/** The length of the longest common subsequence. */
export function commonLength(a: string, b: string): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const char of a) {
    const next = [0];
    for (let j = 0; j < b.length; j++) {
      next.push(
        b[j] === char ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!),
      );
    }
    row = next;
  }
  return row[b.length]!;
}
