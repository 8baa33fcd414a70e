/**
 * LATENCY: which kinds of work made the server slow, and how long commands
 * take.
 *
 * @module
 */

import {
  bucketMicroseconds,
  DURATION_BUCKETS,
} from "../../../core/keyspace/counters.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import type { Command } from "../../../core/commands/command_table.ts";
import { noLatencySamples } from "../../../core/resp/error_reply.ts";
import {
  type LatencyEvent,
  type LatencyEvents,
  type LatencySample,
  mergeEvents,
} from "../latency_monitor.ts";
import type { ServerCall } from "../server_call.ts";
import { ASK_LATENCY, ASK_LATENCY_RESET } from "../server_questions.ts";
import { bulkByteText, textAt, textsFrom } from "./_arguments.ts";
import { type HelpLines, writeHelp } from "./_help.ts";

/** Columns and rows of a graph. */
const GRAPH_COLUMNS = 80;
const GRAPH_ROWS = 4;
/** Rows below a graph that tell how long ago each sample was. */
const LABEL_ROWS = 5;

const HELP: HelpLines = [
  ["DOCTOR", "What the events mean, in prose."],
  ["GRAPH <event>", "The samples of an event as a picture."],
  ["HISTORY <event>", "The samples of an event: time and milliseconds."],
  ["LATEST", "Of each event: name, time, milliseconds, longest ever."],
  ["RESET [<event> ...]", "Forgets these events, or all."],
  ["HISTOGRAM [<command> ...]", "How the durations of commands spread."],
];

/** `LATENCY LATEST` */
export function latencyLatestCommand(call: ServerCall): Promise<LateReply> {
  return askEvents(call).then((events) => (reply) => {
    reply.array(events.size);
    for (const [name, { samples, maxMs }] of events) {
      const [at, ms] = samples.at(-1)!;
      reply.array(4);
      bulkByteText(reply, name);
      reply.integer(at);
      reply.integer(ms);
      reply.integer(maxMs);
    }
  });
}

/** `LATENCY HISTORY event` */
export function latencyHistoryCommand(call: ServerCall): Promise<LateReply> {
  const name = textAt(call, 2);
  return askEvents(call).then((events) => (reply) => {
    const samples = events.get(name)?.samples ?? [];
    reply.array(samples.length);
    for (const [at, ms] of samples) {
      reply.array(2);
      reply.integer(at);
      reply.integer(ms);
    }
  });
}

/** `LATENCY RESET [event ...]` */
export function latencyResetCommand(call: ServerCall): Promise<LateReply> {
  const names = textsFrom(call, 2);
  return call.worker.peers.ask(ASK_LATENCY_RESET, names).then((known) => {
    const reset = new Set((known as string[][]).flat());
    return (reply) => reply.integer(reset.size);
  });
}

/** `LATENCY GRAPH event` */
export function latencyGraphCommand(call: ServerCall): Promise<LateReply> {
  const name = call.args.copy(2);
  const text = textAt(call, 2);
  const nowSeconds = Math.floor(call.nowMs / 1000);
  return askEvents(call).then((events) => (reply) => {
    const event = events.get(text);
    if (event === undefined) return reply.error(noLatencySamples(name));
    reply.verbatim("txt", drawEvent(text, event, nowSeconds));
  });
}

/** `LATENCY DOCTOR` */
export function latencyDoctorCommand(call: ServerCall): Promise<LateReply> {
  const isOff = call.settings.latencyMonitorThreshold === 0;
  return askEvents(call).then((events) => (reply) => {
    reply.verbatim("txt", diagnose(events, isOff));
  });
}

/**
 * `LATENCY HISTOGRAM [command ...]`
 *
 * A container stands for all its subcommands. Commands that were never timed
 * are left out, see {@linkcode Statistics.durations}.
 */
export function latencyHistogramCommand(call: ServerCall): void {
  const { statistics, table } = call.worker;
  const asked = call.argc === 2
    ? table.all
    : textsFrom(call, 2).flatMap((name) => {
      const command = table.byName(name);
      if (command === undefined) return [];
      return command.subcommands.length === 0 ? [command] : command.subcommands;
    });
  const rows: [Command<ServerCall>, number[]][] = [];
  for (const command of asked) {
    const durations = statistics.durations(command.index);
    if (durations.length > 0) rows.push([command, durations]);
  }
  const { reply } = call;
  reply.map(rows.length);
  for (const [command, durations] of rows) {
    const steps = cumulate(durations);
    reply.bulkText(command.fullName);
    reply.map(2);
    reply.bulkText("calls");
    reply.integer(statistics.command(command.index).calls);
    reply.bulkText("histogram_usec");
    reply.map(steps.length);
    for (const [microseconds, calls] of steps) {
      reply.integer(microseconds);
      reply.integer(calls);
    }
  }
}

/** `LATENCY HELP` */
export function latencyHelpCommand(call: ServerCall): void {
  writeHelp(call, "LATENCY", HELP);
}

async function askEvents(
  call: ServerCall,
): Promise<Map<string, LatencyEvent>> {
  const answers = await call.worker.peers.ask(ASK_LATENCY, null);
  return mergeEvents(answers as LatencyEvents[]);
}

/** Calls up to each bound at which there are more than before. */
function cumulate(durations: readonly number[]): [number, number][] {
  const steps: [number, number][] = [];
  let calls = 0;
  for (let bucket = 0; bucket < DURATION_BUCKETS; bucket++) {
    if (durations[bucket] === 0) continue;
    calls += durations[bucket]!;
    // The bounds are a thousandth short of the next bucket's beginning.
    const bound = Math.floor(bucketMicroseconds(bucket) - 0.001);
    steps.push([bound, Math.round(calls)]);
  }
  return steps;
}

/**
 * A column per sample, the oldest first; below each, how long ago it was, to be
 * read downwards.
 */
export function drawEvent(
  name: string,
  event: LatencyEvent,
  nowSeconds: number,
): string {
  const samples = event.samples.slice(-GRAPH_COLUMNS);
  const durations = samples.map(([, ms]) => ms);
  const high = Math.max(...durations);
  const low = Math.min(...durations);
  const lines = [
    `${name} - high ${high} ms, low ${low} ms ` +
    `(all time high ${event.maxMs} ms)`,
    "-".repeat(GRAPH_COLUMNS),
  ];
  const heights = durations.map((ms) =>
    high === low ? 0 : (ms - low) / (high - low) * (GRAPH_ROWS * 2 - 1)
  ).map(Math.round);
  for (let row = GRAPH_ROWS - 1; row >= 0; row--) {
    lines.push(heights.map((height) => cell(height - row * 2)).join(""));
  }
  lines.push("");
  const labels = samples.map(([at]) => age(nowSeconds - at));
  for (let row = 0; row < LABEL_ROWS; row++) {
    const line = labels.map((label) => label[row] ?? " ").join("");
    if (line.trim() !== "") lines.push(line);
  }
  return lines.join("\n") + "\n";
}

/** Half a row is an underscore, a whole one a hash, more a bar. */
function cell(halves: number): string {
  return halves < 0 ? " " : halves === 0 ? "_" : halves === 1 ? "#" : "|";
}

function age(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

/** What to think of the events, and what to do about them. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/command$/, "SLOWLOG GET shows which commands took so long."],
  [
    /^expire-/,
    "Many keys expire at once: spread their times, or raise " +
    "active-expire-effort.",
  ],
  [/^eviction-/, "Memory is short: raise maxmemory, or store less."],
];

/** LATENCY DOCTOR's report. */
export function diagnose(
  events: ReadonlyMap<string, LatencyEvent>,
  isOff: boolean,
): string {
  if (events.size === 0) {
    return isOff
      ? "Latency is not monitored. CONFIG SET latency-monitor-threshold " +
        "<milliseconds> begins to record what takes that long.\n"
      : "Nothing has taken as long as latency-monitor-threshold so far.\n";
  }
  const lines: string[] = [];
  for (const [name, { samples, maxMs }] of events) {
    lines.push(
      `${name}: ${samples.length} latency spikes (${describe(samples)}). ` +
        `Worst all time event ${maxMs}ms.`,
    );
  }
  for (const [pattern, advice] of ADVICE) {
    if ([...events.keys()].some((name) => pattern.test(name))) {
      lines.push(`- ${advice}`);
    }
  }
  return lines.join("\n") + "\n";
}

function describe(samples: readonly LatencySample[]): string {
  const count = samples.length;
  const mean = samples.reduce((sum, [, ms]) => sum + ms, 0) / count;
  const deviation =
    samples.reduce((sum, [, ms]) => sum + Math.abs(ms - mean), 0) / count;
  const seconds = samples.at(-1)![0] - samples[0]![0];
  const period = count > 1 ? seconds / (count - 1) : 0;
  return `average ${Math.round(mean)}ms, ` +
    `mean deviation ${Math.round(deviation)}ms, ` +
    `period ${period.toFixed(2)} sec`;
}

/** The commands of this file. */
export const LATENCY_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "latency",
    group: "server",
    since: "2.8.13",
    summary: "Commands about what made the server slow.",
    arity: -2,
    subcommands: [
      {
        name: "doctor",
        since: "2.8.13",
        summary: "Explains the latency events in prose.",
        complexity: "O(1)",
        arity: 2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: [
          "nondeterministic_output",
          "request_policy:all_nodes",
          "response_policy:special",
        ],
        replies: ["string"],
        run: latencyDoctorCommand,
      },
      {
        name: "graph",
        since: "2.8.13",
        summary: "Draws one event's latency over time.",
        complexity: "O(1)",
        arity: 3,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: [
          "nondeterministic_output",
          "request_policy:all_nodes",
          "response_policy:special",
        ],
        syntax: "event",
        replies: ["string"],
        run: latencyGraphCommand,
      },
      {
        name: "help",
        since: "2.8.13",
        summary: "Lists the LATENCY subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: latencyHelpCommand,
      },
      {
        name: "histogram",
        since: "7.0.0",
        summary: "Shows how the run times of commands are distributed.",
        complexity: "O(N)",
        arity: -2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: [
          "nondeterministic_output",
          "request_policy:all_nodes",
          "response_policy:special",
        ],
        syntax: "[command...]",
        replies: ["map"],
        run: latencyHistogramCommand,
      },
      {
        name: "history",
        since: "2.8.13",
        summary: "Shows the samples kept for one event.",
        complexity: "O(1)",
        arity: 3,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: [
          "nondeterministic_output",
          "request_policy:all_nodes",
          "response_policy:special",
        ],
        syntax: "event",
        replies: ["array"],
        run: latencyHistoryCommand,
      },
      {
        name: "latest",
        since: "2.8.13",
        summary: "Shows the newest sample of each event.",
        complexity: "O(1)",
        arity: 2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: [
          "nondeterministic_output",
          "request_policy:all_nodes",
          "response_policy:special",
        ],
        replies: ["array"],
        run: latencyLatestCommand,
      },
      {
        name: "reset",
        since: "2.8.13",
        summary: "Forgets the samples of some events, or all.",
        complexity: "O(1)",
        arity: -2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:agg_sum"],
        syntax: "[event...]",
        replies: ["integer"],
        run: latencyResetCommand,
      },
    ],
  },
];
