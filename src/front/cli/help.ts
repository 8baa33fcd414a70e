/**
 * The texts of `--help` and `--version`.
 *
 * Which options a person sees first, and in which company, is chosen here;
 * what they mean and their defaults come from the table of settings.
 *
 * @module
 */

import {
  formatMemorySize,
  parseMemorySize,
} from "../../core/settings/memory_size.ts";
import type { SettingSpec } from "../../core/settings/setting_spec.ts";
import {
  findSetting,
  SETTINGS_TABLE,
} from "../../core/settings/settings_table.ts";

const GROUPS: readonly (readonly [title: string, names: readonly string[]])[] =
  [
    ["Network", [
      "port",
      "bind",
      "unixsocket",
      "maxclients",
      "timeout",
      "tcp-keepalive",
    ]],
    ["Access", ["requirepass", "protected-mode", "enable-debug-command"]],
    ["Server", ["workers", "databases", "dir", "loglevel", "logfile"]],
    ["Memory", ["maxmemory", "maxmemory-policy", "activedefrag"]],
    ["Monitoring", ["slowlog-log-slower-than", "latency-monitor-threshold"]],
    ["Durability", ["appendonly", "save"]],
  ];

/** Defaults that no text of the table tells. */
const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ["workers", "one per core"],
  ["dir", "the current directory"],
]);

const WIDTH = 79;
const SUMMARY_INDENT = 32;

/** What `--help` prints. */
export function helpText(): string {
  const groups = GROUPS.map(([title, names]) =>
    `${title}:\n${names.map(describe).join("")}`
  );
  return `Usage: sherd [config file] [--option value ...] [-]
       sherd -                 read the configuration from standard input
       sherd check-rdb FILE   read a snapshot to its end
       sherd check-aof FOLDER read an append-only log to its end
       sherd import SOURCE    bring keys from Redis into a running server
       sherd export FILE      take the keys of a running server along
       sherd -h | --help
       sherd -v | --version

Starts an in-memory data server that speaks the Redis protocol and uses all
cores. Options are those of redis.conf, with the same names; on the command
line they override the file.

${groups.join("\n")}
Sizes take units: 100mb is 100 * 1024 * 1024 bytes, 100m is 100 million.
All options and their values, once the server runs: redis-cli CONFIG GET '*'

Examples:
  sherd
  sherd --port 7000 --maxmemory 2gb --maxmemory-policy allkeys-lru
  sherd --bind 0.0.0.0 --requirepass "a long password" --workers 4
  sherd /etc/sherd.conf --loglevel verbose
  echo "maxmemory 100mb" | sherd -
`;
}

/** What `--version` prints. `redis` is the version whose behaviour is ours. */
export function versionText(
  versions: { sherd: string; redis: string; deno: string; v8: string },
): string {
  const { sherd, redis, deno, v8 } = versions;
  return `sherd ${sherd} (commands of Redis ${redis}; deno ${deno}, v8 ${v8})\n`;
}

function describe(name: string): string {
  const spec = SETTINGS_TABLE[findSetting(name)]!;
  const head = `  --${name} ${placeholder(spec)}`;
  const why = spec.only === undefined ? "" : `; ${spec.only.why}`;
  const text = `${spec.summary}${why} [${shownDefault(spec)}]`;
  const lines = wrap(text, WIDTH - SUMMARY_INDENT);
  const indent = " ".repeat(SUMMARY_INDENT);
  if (head.length < SUMMARY_INDENT) {
    lines[0] = head.padEnd(SUMMARY_INDENT) + lines[0];
  } else {
    lines[0] = `${head}\n${indent}${lines[0]}`;
  }
  return lines.join(`\n${indent}`) + "\n";
}

function placeholder(spec: SettingSpec): string {
  const { kind, only } = spec;
  if (only !== undefined) {
    return only.texts.map((text) => text === "" ? '""' : text).join("|");
  }
  switch (kind.type) {
    case "boolean":
      return "yes|no";
    case "integer":
      return "<number>";
    case "octal":
      return "<mode>";
    case "memory":
      return "<size>";
    case "memoryOrPercent":
      return "<size or %>";
    case "enum":
      return kind.values.length <= 3 ? kind.values.join("|") : "<name>";
    case "string":
      return "<path>";
    case "secret":
      return "<password>";
    case "addresses":
      return "<address ...>";
    default:
      return "<value ...>";
  }
}

function shownDefault(spec: SettingSpec): string {
  const told = DEFAULTS.get(spec.name);
  if (told !== undefined) return told;
  if (spec.default === "") return "none";
  return spec.kind.type === "memory"
    ? formatMemorySize(parseMemorySize(spec.default)!)
    : spec.default;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
