/**
 * Words of a tool's command line: `--name value` or `--name=value`, and others.
 *
 * @module
 */

/** The words, sorted. */
export interface ToolWords {
  /** Words without dashes, in their order. */
  readonly others: readonly string[];
  /** Values by the options' names. */
  readonly options: ReadonlyMap<string, string>;
}

/** Sorts words; a text says what is wrong with them. */
export function sortWords(
  words: readonly string[],
  names: readonly string[],
): ToolWords | string {
  const others: string[] = [];
  const options = new Map<string, string>();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("--")) {
      others.push(word);
      continue;
    }
    const [name, value = words[++i]] = word.slice(2).split("=", 2) as [
      string,
      string?,
    ];
    if (!names.includes(name)) return `--${name}: there is no such option`;
    if (value === undefined) return `--${name}: the value is missing`;
    options.set(name, value);
  }
  return { others, options };
}
