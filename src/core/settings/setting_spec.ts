/**
 * What a setting is: the row of the table, the kinds of value, and how words
 * become a value and a value becomes words.
 *
 * A value has one canonical form, its *text*: what CONFIG GET prints. Memory
 * is in bytes, `YES` is `yes`, the three output buffer limits are one line.
 * Everything else (numbers for hot code, lines of a configuration file) is
 * derived from the text, so two workers that hold the same texts hold the
 * same configuration.
 *
 * Texts are byte texts: one character is one byte, as in error replies, so
 * that a password of arbitrary bytes survives CONFIG SET, GET and REWRITE.
 *
 * A kind refuses with the reason in Redis's words; whoever asked puts its own
 * frame around it (an error reply, a line of a file, a flag).
 *
 * @module
 */

import {
  formatEventClasses,
  parseEventClasses,
} from "../keyspace/key_events.ts";
import {
  outputBufferLines,
  parseOutputBufferLimits,
  parsePercentiles,
  parseSavePoints,
  savePointLines,
} from "./compound_values.ts";
import { formatMemorySize, parseMemorySize } from "./memory_size.ts";

/** The kinds of value that a setting can have. */
export type SettingKind =
  | { readonly type: "boolean" }
  | IntegerKind
  | { readonly type: "octal"; readonly max: number }
  | { readonly type: "memory"; readonly min: bigint; readonly max: bigint }
  | { readonly type: "memoryOrPercent" }
  | { readonly type: "enum"; readonly values: readonly string[] }
  | { readonly type: "string"; readonly fileName?: true }
  | { readonly type: "secret" }
  | { readonly type: "addresses" }
  | { readonly type: "eventClasses" }
  | { readonly type: "percentiles" }
  | { readonly type: "outputBufferLimits" }
  | { readonly type: "savePoints" };

/** A whole number; outside of `clamp` it is accepted and moved inside. */
export interface IntegerKind {
  readonly type: "integer";
  readonly min: bigint;
  readonly max: bigint;
  readonly clamp?: readonly [min: bigint, max: bigint];
}

/** A line of a configuration file without the setting's name. */
export interface SettingLine {
  readonly line: string;
  /** Whether the line says something else than the default. */
  readonly needed: boolean;
}

/**
 * When a setting may change: `live` by CONFIG SET, `start` only before the
 * server runs, `protected` by CONFIG SET if `enable-protected-configs` agrees.
 */
export type SettingChange = "live" | "start" | "protected";

/** One row of the table of settings. */
export interface SettingSpec {
  readonly name: string;
  /** Older names; CONFIG GET prints them beside the name. */
  readonly aliases?: readonly string[];
  readonly kind: SettingKind;
  /** The text of the default; `workers` and `dir` ask the host instead. */
  readonly default: string;
  readonly change: SettingChange;
  /** One line for people, without a period. */
  readonly summary: string;
  /** The only texts that would be true today, and why. */
  readonly only?: { readonly texts: readonly string[]; readonly why: string };
}

/** A new text, or why there is none. */
export type ParsedSetting =
  | { readonly text: string; readonly reason?: never }
  | { readonly reason: string; readonly text?: never };

const WRONG_COUNT = "wrong number of arguments";
const NOT_AN_INTEGER = "argument couldn't be parsed into an integer";
const ADDRESSES_MAX = 16;
const INT64_DIGITS_MAX = 20;

/**
 * The words of a value that arrived as one string, as CONFIG SET has it.
 * Only kinds of several words are cut, at every single space.
 */
export function splitSettingValue(kind: SettingKind, value: string): string[] {
  return isCompound(kind) ? value.split(" ") : [value];
}

/**
 * Makes the text that `words` mean. `current` is the text before: output
 * buffer limits change only the classes named, and with `extend` (a line of a
 * file, which may come several times) save points are added to it.
 */
export function parseSetting(
  spec: SettingSpec,
  words: readonly string[],
  current: string,
  extend = false,
): ParsedSetting {
  const parsed = parseWords(spec, words, current, extend);
  const { only } = spec;
  if (
    parsed.text === undefined || only === undefined ||
    only.texts.includes(parsed.text)
  ) return parsed;
  const texts = only.texts.map((text) => text === "" ? '""' : `'${text}'`);
  return refuse(`only ${texts.join(", ")} is accepted: ${only.why}`);
}

/** The lines that say `text`; `fallback` is the default's text. */
export function settingLines(
  spec: SettingSpec,
  text: string,
  fallback: string,
): SettingLine[] {
  const needed = text !== fallback;
  switch (spec.kind.type) {
    case "string":
    case "secret":
      // Empty means "none", which is said by leaving the line out.
      if (text === "" && fallback === "") return [];
      return [{ line: quoteText(text), needed }];
    case "addresses":
    case "percentiles":
      return [{ line: text === "" ? '""' : text, needed }];
    case "eventClasses":
      return [{ line: quoteText(text), needed }];
    case "memory":
      return [{ line: formatMemorySize(BigInt(text)), needed }];
    case "memoryOrPercent":
      return [{
        line: text.endsWith("%") ? text : formatMemorySize(BigInt(text)),
        needed,
      }];
    case "outputBufferLimits":
      return outputBufferLines(text, fallback);
    case "savePoints":
      return savePointLines(text).map((line) => ({ line, needed }));
    default:
      return [{ line: text, needed }];
  }
}

/** A text in double quotes, with escapes for what is not printable. */
export function quoteText(text: string): string {
  let quoted = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const escape = ESCAPES.get(text[i]!);
    if (escape !== undefined) quoted += escape;
    else if (code >= 32 && code < 127) quoted += text[i];
    else quoted += "\\x" + code.toString(16).padStart(2, "0");
  }
  return quoted + '"';
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ['"', '\\"'],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\b", "\\b"],
  ["\x07", "\\a"],
]);

function isCompound(kind: SettingKind): boolean {
  return kind.type === "addresses" || kind.type === "percentiles" ||
    kind.type === "outputBufferLimits" || kind.type === "savePoints";
}

function parseWords(
  spec: SettingSpec,
  given: readonly string[],
  current: string,
  extend: boolean,
): ParsedSetting {
  const { kind } = spec;
  if (isCompound(kind)) {
    // `save ""` and CONFIG SET save "" both mean "no words".
    const words = given.length === 1 && given[0] === "" ? [] : given;
    switch (kind.type) {
      case "addresses":
        if (given.length === 0) return refuse(WRONG_COUNT);
        return words.length > ADDRESSES_MAX
          ? refuse("Too many bind addresses specified.")
          : { text: words.join(" ") };
      case "percentiles":
        return parsePercentiles(spec.name, words);
      case "outputBufferLimits":
        return parseOutputBufferLimits(words, current);
      case "savePoints":
        return parseSavePoints(words, extend ? current : "");
    }
  }
  return given.length === 1
    ? parseWord(spec.name, kind, given[0]!)
    : refuse(WRONG_COUNT);
}

function parseWord(
  name: string,
  kind: SettingKind,
  word: string,
): ParsedSetting {
  switch (kind.type) {
    case "boolean": {
      const text = word.toLowerCase();
      return text === "yes" || text === "no"
        ? { text }
        : refuse("argument must be 'yes' or 'no'");
    }
    case "enum": {
      const text = word.toLowerCase();
      if (kind.values.includes(text)) return { text };
      return refuse(
        "argument(s) must be one of the following: " + kind.values.join(", "),
      );
    }
    case "integer":
      return parseInteger(kind, word);
    case "octal": {
      if (!/^0*[0-7]{1,9}$/.test(word)) {
        return refuse("argument couldn't be parsed as an octal number");
      }
      const mode = parseInt(word, 8);
      return mode > kind.max
        ? refuse(notBetween("0", kind.max.toString(8)))
        : { text: mode.toString(8) };
    }
    case "memory": {
      const bytes = parseMemorySize(word);
      if (bytes === undefined) return refuse("argument must be a memory value");
      return bytes < kind.min || bytes > kind.max
        ? refuse(notBetween(kind.min, kind.max))
        : { text: String(bytes) };
    }
    case "memoryOrPercent":
      return parseMemoryOrPercent(word);
    case "eventClasses": {
      const classes = parseEventClasses(word);
      return classes === undefined
        ? refuse("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        : { text: formatEventClasses(classes) };
    }
    case "string":
      return kind.fileName && word.includes("/")
        ? refuse(`${name} can't be a path, just a filename`)
        : { text: word };
    default:
      return { text: word };
  }
}

/** Strict as Redis: no `+`, no spaces, no leading zeros, no `-0`. */
function parseInteger(kind: IntegerKind, word: string): ParsedSetting {
  if (
    word.length > INT64_DIGITS_MAX || !/^(0|-?[1-9]\d*)$/.test(word)
  ) return refuse(NOT_AN_INTEGER);
  let value = BigInt(word);
  if (value !== BigInt.asIntN(64, value)) return refuse(NOT_AN_INTEGER);
  if (value < kind.min || value > kind.max) {
    return refuse(notBetween(kind.min, kind.max));
  }
  if (kind.clamp !== undefined) {
    const [min, max] = kind.clamp;
    if (value < min) value = min;
    if (value > max) value = max;
  }
  return { text: String(value) };
}

function parseMemoryOrPercent(word: string): ParsedSetting {
  if (/^\d{1,9}%$/.test(word)) {
    const percent = parseInt(word);
    if (percent > 100) {
      return refuse("percentage argument must be less or equal to 100");
    }
    return { text: percent === 0 ? "0" : `${percent}%` };
  }
  const bytes = parseMemorySize(word);
  return bytes === undefined
    ? refuse("argument must be a memory or percent value")
    : { text: String(bytes) };
}

function notBetween(min: bigint | string, max: bigint | string): string {
  return `argument must be between ${min} and ${max} inclusive`;
}

function refuse(reason: string): ParsedSetting {
  return { reason };
}
