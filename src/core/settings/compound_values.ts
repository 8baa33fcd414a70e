/**
 * The values made of several words: latency percentiles, output buffer limits
 * and save points. Their texts separate the words by one space each.
 *
 * @module
 */

import { formatMemorySize, parseMemorySize } from "./memory_size.ts";
import type { ParsedSetting, SettingLine } from "./setting_spec.ts";

/** Limits of the output buffers of one class of connections; 0 is none. */
export interface OutputBufferLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

/** What `client-output-buffer-limit` says. */
export interface OutputBufferLimits {
  readonly normal: OutputBufferLimit;
  readonly replica: OutputBufferLimit;
  readonly pubsub: OutputBufferLimit;
}

const CLASSES = ["normal", "slave", "pubsub"];
const BAD_SAVE_POINTS = "Invalid save parameters";

/** Percentiles with at most six digits after the point, as Redis has them. */
export function parsePercentiles(
  name: string,
  words: readonly string[],
): ParsedSetting {
  const percentiles: number[] = [];
  for (const word of words) {
    const percentile = Number(word);
    if (word.trim() === "" || Number.isNaN(percentile)) {
      return refuse(`Invalid ${name} parameters`);
    }
    if (percentile < 0 || percentile > 100) {
      return refuse(`${name} parameters should sit between [0.0,100.0]`);
    }
    percentiles.push(Number(percentile.toFixed(6)));
  }
  return { text: percentiles.join(" ") };
}

/** Changes in `current` the classes that `words` name. */
export function parseOutputBufferLimits(
  words: readonly string[],
  current: string,
): ParsedSetting {
  if (words.length % 4 !== 0) {
    return refuse("Wrong number of arguments in buffer limit configuration.");
  }
  const limits = chunks(current.split(" "), 4);
  for (const [className, hard, soft, seconds] of chunks(words, 4)) {
    const lower = className!.toLowerCase();
    const index = CLASSES.findIndex((name) =>
      name === (lower === "replica" ? "slave" : lower)
    );
    if (index < 0) {
      return refuse(
        "Invalid client class specified in buffer limit configuration.",
      );
    }
    const hardBytes = parseMemorySize(hard!);
    const softBytes = parseMemorySize(soft!);
    if (
      hardBytes === undefined || softBytes === undefined ||
      !/^\d{1,15}$/.test(seconds!)
    ) {
      return refuse(
        "Error in hard, soft or soft_seconds setting in buffer " +
          "limit configuration.",
      );
    }
    limits[index] = [
      CLASSES[index]!,
      String(hardBytes),
      String(softBytes),
      String(Number(seconds)),
    ];
  }
  return { text: limits.flat().join(" ") };
}

/** One line per class. CONFIG GET says `slave`, files say `replica`. */
export function outputBufferLines(
  text: string,
  fallback: string,
): SettingLine[] {
  const before = chunks(fallback.split(" "), 4);
  return chunks(text.split(" "), 4).map((limit, i) => ({
    line: outputBufferLine(limit),
    needed: limit.join() !== before[i]!.join(),
  }));
}

/** Pairs of seconds and changes, after those of `before`. */
export function parseSavePoints(
  words: readonly string[],
  before: string,
): ParsedSetting {
  if (words.length === 0) return { text: "" };
  if (words.length % 2 !== 0) return refuse(BAD_SAVE_POINTS);
  for (const [seconds, changes] of chunks(words, 2)) {
    if (!/^[1-9]\d{0,8}$/.test(seconds!) || !/^\d{1,9}$/.test(changes!)) {
      return refuse(BAD_SAVE_POINTS);
    }
  }
  const added = words.map(Number).join(" ");
  return { text: before === "" ? added : `${before} ${added}` };
}

/** One line per pair; none is said explicitly, as no line means default. */
export function savePointLines(text: string): string[] {
  if (text === "") return ['""'];
  return chunks(text.split(" "), 2).map((point) => point.join(" "));
}

/** The numbers in a text that {@linkcode parseOutputBufferLimits} made. */
export function decodeOutputBufferLimits(text: string): OutputBufferLimits {
  const [normal, replica, pubsub] = chunks(text.split(" "), 4).map((limit) => ({
    hardBytes: Number(limit[1]),
    softBytes: Number(limit[2]),
    softSeconds: Number(limit[3]),
  }));
  return { normal: normal!, replica: replica!, pubsub: pubsub! };
}

function outputBufferLine(limit: readonly string[]): string {
  const [className, hard, soft, seconds] = limit;
  const name = className === "slave" ? "replica" : className;
  const sizes = [hard!, soft!].map((size) => formatMemorySize(BigInt(size)));
  return `${name} ${sizes.join(" ")} ${seconds}`;
}

function chunks(words: readonly string[], size: number): string[][] {
  const rows: string[][] = [];
  for (let i = 0; i < words.length; i += size) {
    rows.push(words.slice(i, i + size));
  }
  return rows;
}

function refuse(reason: string): ParsedSetting {
  return { reason };
}
