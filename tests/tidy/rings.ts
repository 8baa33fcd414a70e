/**
 * The rules of the house, as data: what may import what, what may be called
 * where, how errors begin. `checks.ts` applies them, `tests/tidy_test.ts` runs
 * them over the tree.
 *
 * @module
 */

/** Where a file belongs. Tests and benches are bound by nearly nothing. */
export type Area = "core" | "engine" | "front" | "std" | "api" | "outside";

/** The rings of `src`, inside out: an import points left or stays. */
export const RINGS: readonly Area[] = ["core", "engine", "front"];

/** Folders that only share what lies between them, never each other. */
export const STRANGERS: readonly (readonly [string, string])[] = [
  ["src/engine/executor/", "src/engine/owner/"],
];

/** Files that nothing imports: the API, the program, a worker's entry. */
export const ENTRIES: readonly string[] = [
  "mod.ts",
  "src/front/cli/main.ts",
  "src/front/cli/compile.ts",
  "src/front/server/worker.ts",
  "src/front/server/log_thread.ts",
];

/** Bare specifiers that an area may import, by their beginning. */
export const PACKAGES: Readonly<Record<Area, readonly string[]>> = {
  core: ["@std/bytes"],
  engine: ["@std/bytes", "@std/async"],
  front: ["@std/bytes", "@std/async", "node:"],
  std: [],
  api: [],
  outside: ["@std/", "node:", "npm:"],
};

/** Something that must not be written in an area, and what to do instead. */
export interface Ban {
  areas: readonly Area[];
  name: string;
  /** Matched against code without comments and strings. */
  pattern: RegExp;
  instead: string;
}

const TIMERS = /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/;
const RANDOMNESS =
  /\bMath\s*\.\s*random\b|\bcrypto\s*\.\s*(?:getRandomValues|randomUUID)\b/;

export const BANS: readonly Ban[] = [
  {
    areas: ["core"],
    name: "await",
    pattern: /(?<!\.)\bawait\b/,
    instead: "core is synchronous; waiting belongs to engine",
  },
  {
    areas: ["core"],
    name: "async",
    // Only where it makes a function: `async` is also an option's name.
    pattern: /(?<![.\w$])async\s*(?:[\w$*#[]|\([^()]*\)\s*=>)/,
    instead: "core is synchronous; waiting belongs to engine",
  },
  {
    areas: ["core"],
    name: "a clock",
    pattern: /\bDate\s*\.\s*now\b|\bnew\s+Date\b|\bperformance\s*\.\s*now\b/,
    instead: "take the time as an argument",
  },
  {
    areas: ["core"],
    name: "randomness",
    pattern: RANDOMNESS,
    instead: "take the randomness as an argument",
  },
  {
    areas: ["core"],
    name: "a timer",
    pattern: TIMERS,
    instead: "timers belong to engine",
  },
  {
    areas: ["core", "engine"],
    name: "Deno",
    pattern: /\bDeno\s*(?:\.|\[)/,
    instead: "take a port, or write it in front",
  },
  {
    areas: ["core", "engine"],
    name: "new Worker",
    pattern: /\bnew\s+Worker\b/,
    instead: "front starts the workers",
  },
  {
    areas: ["core", "engine"],
    name: "console",
    pattern: /(?<!\.)\bconsole\s*(?:\.|\[)/,
    instead: "return what is to be said; front prints it",
  },
  {
    areas: ["core", "engine"],
    name: "a socket",
    pattern: /\bfetch\s*\(|\b(?:WebSocket|EventSource)\b/,
    instead: "take a port; front opens the sockets",
  },
  {
    areas: ["core", "engine", "front"],
    name: "a private accessor",
    pattern: /(?<![.\w$])[gs]et\s+#/,
    // V8 calls its runtime for each use until the code is optimized, and takes
    // more than twice as long as for a method after that.
    instead: "write a private method",
  },
];

/** A comment that must not stay. */
export interface CommentBan {
  name: string;
  pattern: RegExp;
  instead: string;
}

export const COMMENT_BANS: readonly CommentBan[] = [
  {
    name: "@ts-nocheck",
    pattern: /@ts-nocheck\b/,
    instead: "keep the types",
  },
  {
    name: "@ts-ignore",
    pattern: /@ts-ignore\b/,
    instead: "keep the types",
  },
  { name: "FIXME", pattern: /\bFIXME\b/, instead: "mend it" },
  {
    name: "TODO",
    pattern: /\bTODO\b(?!\(#\d+\))/,
    instead: "name the issue, as in TODO(#1)",
  },
];

/** Longer files say why, in a line of their header: `Size: <reason>`. */
export const LINES_MAX = 800;

/** What an error reply may begin with. */
export const ERROR_PREFIXES: ReadonlySet<string> = new Set([
  ...["ERR", "WRONGTYPE", "OOM"],
  ...["NOAUTH", "WRONGPASS", "NOPERM", "NOPROTO", "DENIED"],
  ...["EXECABORT", "LOCKED"],
  ...["MOVED", "ASK", "TRYAGAIN", "CROSSSLOT", "CLUSTERDOWN"],
  ...["NOSCRIPT", "BUSY", "NOTBUSY", "UNKILLABLE"],
  ...["LOADING", "MISCONF", "READONLY", "MASTERDOWN", "NOREPLICAS"],
  ...["IOERR", "NOMASTERLINK"],
  ...["BUSYKEY", "BUSYGROUP", "NOGROUP", "INVALIDOBJ", "UNBLOCKED"],
]);
