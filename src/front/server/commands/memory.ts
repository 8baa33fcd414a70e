/**
 * MEMORY: what the memory in use is used for.
 *
 * @module
 */

import { bytesOf } from "../../../core/base/bytes.ts";
import {
  argumentIs,
  integerAt,
  readInteger,
} from "../../../core/commands/arg_reader.ts";
import {
  type CommandSpec,
  type HeavyTest,
  keyAt,
  type LateReply,
} from "../../../core/commands/command_spec.ts";
import { manyInFirst } from "../../../core/commands/heavy_work.ts";
import { SYNTAX_ERROR } from "../../../core/resp/error_reply.ts";
import { ASK_PURGE } from "../server_questions.ts";
import { type MemoryReport, reportMemory } from "../memory_report.ts";
import type { ServerCall } from "../server_call.ts";
import { type HelpLines, writeHelp } from "./_help.ts";
import { humanBytes } from "./_human_bytes.ts";
import { allocatedBytes } from "../../../core/keyspace/entry_facts.ts";

const SAMPLES = bytesOf("samples");
/** Elements of a large value that are looked at. */
const SAMPLES_DEFAULT = 5;

/** With less than this in use there is nothing to find fault with. */
const DOCTOR_BYTES_MIN = 5 << 20;
/** Peak, and resident bytes, that are too much in relation to what is used. */
const PEAK_RATIO_MAX = 1.5;
const FRAGMENTATION_RATIO_MAX = 1.4;

const HELP: HelpLines = [
  ["DOCTOR", "What is wrong with the use of memory, in prose."],
  ["MALLOC-STATS", "What the allocator holds."],
  ["PURGE", "Packs the data, so that pages can be used for something else."],
  ["STATS", "What the memory is used for, in bytes."],
  [
    "USAGE <key> [SAMPLES <count>]",
    "Bytes that a key and its value take; <count> of many elements are looked at.",
  ],
];

/** `MEMORY USAGE key [SAMPLES count]` */
export function memoryUsageCommand(call: ServerCall): void {
  const { reply } = call;
  let samples = SAMPLES_DEFAULT;
  for (let i = 3; i < call.argc; i += 2) {
    if (!argumentIs(call, i, SAMPLES) || i + 1 === call.argc) {
      return reply.error(SYNTAX_ERROR);
    }
    samples = readInteger(call, i + 1);
    if (Number.isNaN(samples)) return;
    if (samples < 0) return reply.error(SYNTAX_ERROR);
  }
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupQuiet(call.db, key, call.nowMs);
  if (ref === 0) return reply.nullBulk();
  reply.integer(allocatedBytes(space, ref, samples));
}

/** All, or many, elements of a value are to be looked at. */
const manySamples: HeavyTest<ServerCall> = (call) => {
  if (call.argc !== 5 || !argumentIs(call, 3, SAMPLES)) return false;
  const samples = integerAt(call, 4);
  return (samples === 0 || samples > call.settings.backgroundThreshold) &&
    manyInFirst(call);
};

/** `MEMORY STATS` */
export function memoryStatsCommand(call: ServerCall): void {
  const { reply, worker } = call;
  const report = reportMemory(worker);
  const { usedBytes, peakBytes, startupBytes, datasetBytes } = report;
  const keys = report.databases.reduce((sum, db) => sum + db.keys, 0);
  const grown = usedBytes - startupBytes;
  const integers: [string, number][] = [
    ["peak.allocated", peakBytes],
    ["total.allocated", usedBytes],
    ["startup.allocated", startupBytes],
    ["replication.backlog", 0],
    ["clients.slaves", 0],
    ["clients.normal", report.clientBytes],
    ["cluster.links", 0],
    ["aof.buffer", 0],
    ["lua.caches", 0],
    ["functions.caches", 0],
  ];
  const totals: [string, number][] = [
    ["overhead.total", report.overheadBytes],
    ["keys.count", keys],
    ["keys.bytes-per-key", keys === 0 ? 0 : Math.floor(grown / keys)],
    ["dataset.bytes", datasetBytes],
  ];
  const allocator: [string, number][] = [
    ["allocator.allocated", report.allocatedBytes],
    ["allocator.active", report.activeBytes],
    ["allocator.resident", report.residentBytes],
  ];
  const pairs = integers.length + report.databases.length + totals.length + 2 +
    allocator.length + 8;
  reply.map(pairs);
  for (const [name, n] of integers) writeInteger(call, name, n);
  for (const database of report.databases) {
    reply.bulkText(`db.${database.db}`);
    reply.map(3);
    writeInteger(call, "overhead.hashtable.main", database.keysTableBytes);
    writeInteger(
      call,
      "overhead.hashtable.expires",
      database.expiresTableBytes,
    );
    writeInteger(call, "overhead.hashtable.slot-to-keys", 0);
  }
  for (const [name, n] of totals) writeInteger(call, name, n);
  writeDouble(call, "dataset.percentage", percent(datasetBytes, grown));
  writeDouble(call, "peak.percentage", percent(usedBytes, peakBytes));
  for (const [name, n] of allocator) writeInteger(call, name, n);
  writeWaste(
    call,
    "allocator-fragmentation",
    report.activeBytes,
    report.allocatedBytes,
  );
  writeWaste(call, "allocator-rss", report.residentBytes, report.activeBytes);
  writeWaste(call, "rss-overhead", report.rssBytes, report.residentBytes);
  writeWaste(call, "fragmentation", report.rssBytes, usedBytes, "");
}

/** `MEMORY DOCTOR` */
export function memoryDoctorCommand(call: ServerCall): void {
  call.reply.verbatim("txt", diagnoseMemory(reportMemory(call.worker)));
}

/** `MEMORY MALLOC-STATS` */
export function memoryMallocStatsCommand(call: ServerCall): void {
  const report = reportMemory(call.worker);
  const lines = call.keyspaces.map(({ heap, shard }) =>
    `shard ${shard}: used ${heap.usedBytes}, held ${heap.heldBytes}, ` +
    `moved ${heap.movedBytes}`
  );
  const { allocatedBytes, activeBytes, residentBytes } = report;
  lines.push(
    `total: used ${allocatedBytes}, held ${activeBytes}, ` +
      `touched ${residentBytes}`,
  );
  call.reply.verbatim("txt", lines.join("\n") + "\n");
}

/**
 * `MEMORY PURGE`
 *
 * Empty slabs go at once; a defragmentation that empties more has begun when
 * the reply comes.
 */
export function memoryPurgeCommand(call: ServerCall): Promise<LateReply> {
  return call.worker.peers.ask(ASK_PURGE, null)
    .then(() => (reply) => reply.ok());
}

/** `MEMORY HELP` */
export function memoryHelpCommand(call: ServerCall): void {
  writeHelp(call, "MEMORY", HELP);
}

/** MEMORY DOCTOR's report. */
export function diagnoseMemory(report: MemoryReport): string {
  const { usedBytes, peakBytes, activeBytes, allocatedBytes, rssBytes } =
    report;
  if (usedBytes < DOCTOR_BYTES_MIN) {
    return `Only ${humanBytes(usedBytes)} are in use: too little to find ` +
      "anything wrong.\n";
  }
  const findings: string[] = [];
  if (peakBytes > usedBytes * PEAK_RATIO_MAX) {
    findings.push(
      `High peak: ${humanBytes(peakBytes)} were in use once, now it is ` +
        `${humanBytes(usedBytes)}. What was freed is reused, but stays with ` +
        "the process until it is restarted.",
    );
  }
  if (activeBytes > allocatedBytes * FRAGMENTATION_RATIO_MAX) {
    findings.push(
      `High fragmentation: slabs hold ${humanBytes(activeBytes)} for ` +
        `${humanBytes(allocatedBytes)} of objects. CONFIG SET activedefrag ` +
        "yes packs them while the server runs.",
    );
  }
  if (rssBytes > peakBytes * FRAGMENTATION_RATIO_MAX + (200 << 20)) {
    findings.push(
      `High overhead of the process: ${humanBytes(rssBytes)} are resident ` +
        `for ${humanBytes(peakBytes)} of data at its peak. Many connections ` +
        "or long replies may be the reason.",
    );
  }
  return findings.length === 0
    ? "Nothing is wrong with the use of memory.\n"
    : findings.join("\n") + "\n";
}

/** How much `have` is above `needed`, as a ratio and in bytes. */
function writeWaste(
  call: ServerCall,
  name: string,
  have: number,
  needed: number,
  infix = ".ratio",
): void {
  writeDouble(call, name + infix, needed === 0 ? 0 : have / needed);
  writeInteger(call, `${name}.bytes`, have - needed);
}

function writeInteger({ reply }: ServerCall, name: string, n: number): void {
  reply.bulkText(name);
  reply.integer(n);
}

function writeDouble({ reply }: ServerCall, name: string, x: number): void {
  reply.bulkText(name);
  reply.double(x);
}

function percent(part: number, whole: number): number {
  return whole <= 0 ? 0 : part * 100 / whole;
}

/** The commands of this file. */
export const MEMORY_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "memory",
    group: "server",
    since: "4.0.0",
    summary: "Commands about the memory in use.",
    arity: -2,
    subcommands: [
      {
        name: "doctor",
        since: "4.0.0",
        summary: "Explains in prose what is wrong with the use of memory.",
        complexity: "O(1)",
        arity: 2,
        tips: [
          "nondeterministic_output",
          "request_policy:all_shards",
          "response_policy:special",
        ],
        replies: ["string"],
        run: memoryDoctorCommand,
      },
      {
        name: "help",
        since: "4.0.0",
        summary: "Lists the MEMORY subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: memoryHelpCommand,
      },
      {
        name: "malloc-stats",
        since: "4.0.0",
        summary: "Shows the allocator's own statistics.",
        arity: 2,
        tips: [
          "nondeterministic_output",
          "request_policy:all_shards",
          "response_policy:special",
        ],
        replies: ["string"],
        run: memoryMallocStatsCommand,
      },
      {
        name: "purge",
        since: "4.0.0",
        summary: "Gives unused memory back to the system.",
        arity: 2,
        tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
        replies: ["status"],
        run: memoryPurgeCommand,
      },
      {
        name: "stats",
        since: "4.0.0",
        summary: "Tells what the memory is used for.",
        complexity: "O(1)",
        arity: 2,
        tips: [
          "nondeterministic_output",
          "request_policy:all_shards",
          "response_policy:special",
        ],
        replies: ["map"],
        run: memoryStatsCommand,
      },
      {
        name: "usage",
        since: "4.0.0",
        summary: "Estimates the memory that one key takes.",
        complexity: "O(N)",
        arity: -3,
        flags: ["readonly"],
        keys: [keyAt(2, "RO")],
        syntax: "key [SAMPLES count:integer]",
        replies: ["integer", "null"],
        isHeavy: manySamples,
        run: memoryUsageCommand,
      },
    ],
  },
];
