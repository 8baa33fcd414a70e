/**
 * The load bench's command line.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  COMMAND_NAMES,
  type CommandName,
  type KeyChoice,
} from "./_redis_benchmark.ts";

/** What to measure. */
export interface Options {
  /** See {@linkcode Sherd}. */
  sherd: string | undefined;
  rounds: number;
  workers: number[];
  pipelines: number[];
  commands: CommandName[];
  keys: KeyChoice[];
  /** Operations per run; without it, what redis-server does in 1.5 s. */
  requests: number | undefined;
  /** Measure memory, start-up: if either is set, only that. */
  memory: boolean;
  startup: boolean;
  smoke: boolean;
  /** File for the raw figures. */
  json: string | undefined;
  /** Keys in a server under load, and in one whose memory is measured. */
  keyCount: number;
  memoryKeyCount: number;
}

const KEY_CHOICES: KeyChoice[] = ["uniform", "hot"];

const USAGE = `Usage: deno run -A bench/load.ts [OPTIONS]

  --sherd source       measure what deno task start runs instead of the
                       executable, which is made from the same source
  --sherd "CMD"        command that starts the server, run in the repository's
                       root; {port} and {workers} are filled in
  --rounds N           runs per server and configuration (5)
  --workers LIST       numbers of workers (1,2,8)
  --pipelines LIST     pipeline depths (1,16,64)
  --commands LIST      of get, set, incr, mget, mset (all)
  --keys LIST          of uniform, hot (both)
  --requests N         operations per run (what redis-server does in 1.5 s)
  --memory             measure resident bytes per key instead
  --startup            measure start-up and idle memory instead
  --json FILE          write the raw figures
  --smoke              tiny run that only shows that the bench works, from
                       source unless --sherd says otherwise
`;

/** Reads the command line; throws a `TypeError` that says what is wrong. */
export function parseOptions(args: string[]): Options | "help" {
  const { values } = parseArgs({
    args,
    options: {
      sherd: { type: "string" },
      rounds: { type: "string" },
      workers: { type: "string" },
      pipelines: { type: "string" },
      commands: { type: "string" },
      keys: { type: "string" },
      requests: { type: "string" },
      memory: { type: "boolean", default: false },
      startup: { type: "boolean", default: false },
      json: { type: "string" },
      smoke: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const smoke = values.smoke;
  const requests = values.requests ?? (smoke ? "2000" : undefined);
  return {
    sherd: values.sherd ?? (smoke ? "source" : undefined),
    rounds: parseCount("rounds", values.rounds ?? (smoke ? "1" : "5")),
    workers: parseCounts("workers", values.workers ?? (smoke ? "2" : "1,2,8")),
    pipelines: parseCounts(
      "pipelines",
      values.pipelines ?? (smoke ? "1,16" : "1,16,64"),
    ),
    commands: parseNames("commands", values.commands, COMMAND_NAMES),
    keys: parseNames("keys", values.keys, KEY_CHOICES),
    requests: requests === undefined
      ? undefined
      : parseCount("requests", requests),
    memory: values.memory,
    startup: values.startup,
    smoke,
    json: values.json,
    keyCount: smoke ? 1_000 : 500_000,
    memoryKeyCount: smoke ? 10_000 : 2_000_000,
  };
}

/** The text for `--help`. */
export function usage(): string {
  return USAGE;
}

/** The value of `--name`, a positive number. */
export function parseCount(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new TypeError(
      `--${name} takes a positive number: received "${text}"`,
    );
  }
  return Number(text);
}

/** A list of {@linkcode parseCount}. */
export function parseCounts(name: string, text: string): number[] {
  return text.split(",").map((part) => parseCount(name, part));
}

/** A list of some of the known names; all of them if there is no list. */
export function parseNames<T extends string>(
  name: string,
  text: string | undefined,
  known: readonly T[],
): T[] {
  if (text === undefined) return [...known];
  return text.split(",").map((part) => {
    const found = known.find((candidate) => candidate === part);
    if (found !== undefined) return found;
    throw new TypeError(
      `--${name} takes ${known.join(", ")}: received "${part}"`,
    );
  });
}
