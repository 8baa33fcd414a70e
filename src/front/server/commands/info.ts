/**
 * INFO: the state of the server as text, in sections of `field:value` lines.
 *
 * Names and order of sections and fields are Redis's, as dashboards expect
 * them. A field is here if its value is true, be it a constant zero of something
 * that does not happen in this server; fields about the inside of Redis are left
 * out. Fields of our own say `sherd`, `workers` or `shards`.
 *
 * Everything is read from shared memory, without looking at keys. Only the
 * counts of error replies are asked from the other workers.
 *
 * @module
 */

import {
  CHANNEL,
  SHARD_CHANNEL,
} from "../../../core/keyspace/subscriber_counts.ts";
import {
  AUTH_FAILURES,
  BACKGROUND_COMMANDS,
  BACKGROUND_RETRIES,
  bucketMicroseconds,
  CHANGES,
  COMMANDS_FORWARDED,
  COMMANDS_PARKED,
  COMMANDS_PROCESSED,
  CONNECTIONS_BLOCKED,
  CONNECTIONS_ON_LOCKS,
  CONNECTIONS_OPEN,
  CONNECTIONS_RECEIVED,
  CONNECTIONS_REJECTED,
  DEFRAG_HITS,
  DEFRAG_MISSES,
  ERROR_REPLIES,
  EVICTED_KEYS,
  EVICTION_MS,
  EXPIRE_CYCLE_CAPPED,
  EXPIRE_CYCLE_MS,
  EXPIRE_CYCLE_STALE,
  EXPIRED_KEYS,
  EXPIRED_SUBKEYS,
  HEAP_TOTAL_BYTES,
  HEAP_USED_BYTES,
  INPUT_BUFFER_MAX,
  KEYSPACE_HITS,
  KEYSPACE_MISSES,
  LATCH_CONTENTIONS,
  LATCH_LONG_WAITS,
  LATCH_SLEEPS,
  LOCK_ABORTS,
  LOCK_CONFLICTS,
  LOCK_HANDLES,
  LOCK_HOLD_MAX_MS,
  LOCK_RESTARTS,
  LOCK_TIMEOUTS,
  LOCK_WAIT_MAX_MS,
  LOCK_WAIT_MS,
  LOCKS_DENIED,
  LOCKS_QUEUED,
  NET_INPUT_BYTES,
  NET_OUTPUT_BYTES,
  OUTPUT_BUFFER_DISCONNECTS,
  OUTPUT_BUFFER_MAX,
  QUERY_BUFFER_DISCONNECTS,
  READ_LOCKS_GRANTED,
  READS_PROCESSED,
  SLICED_COMMANDS,
  WRITE_LOCKS_GRANTED,
  WRITES_PROCESSED,
} from "../../../core/keyspace/counters.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import { detachedCount } from "../../../core/keyspace/reclaim.ts";
import {
  LAST_LOAD_EXPIRED,
  LAST_LOAD_KEYS,
  LAST_SAVE_CHANGES,
  LAST_SAVE_FAILED,
  LAST_SAVE_PEAK_BYTES,
  LAST_SAVE_S,
  LAST_SAVE_SECONDS,
  LOADING,
  LOADING_DONE_BYTES,
  LOADING_START_S,
  LOADING_TOTAL_BYTES,
  SAVES,
  SAVING,
  SAVING_KEYS,
  SAVING_KEYS_DONE,
  SAVING_PEAK_BYTES,
  SAVING_START_MS,
} from "../../../engine/persistence/persistence_facts.ts";
import { PROCESS_SNAPSHOT_BYTES } from "../../../engine/persistence/snapshot_protocol.ts";
import { logFields } from "../append_only.ts";
import { PROCESS_TCP_PORT } from "../../../engine/messages/shared_state.ts";
import {
  executablePath,
  machineBytes,
  mainThreadTimes,
  osName,
  processTimes,
} from "../host_facts.ts";
import { reportMemory } from "../memory_report.ts";
import type { ServerCall } from "../server_call.ts";
import { ASK_ERRORS } from "../server_questions.ts";
import { REDIS_VERSION, SHERD_VERSION } from "../version.ts";
import { wallMicroseconds } from "../wall_clock.ts";
import type { WorkerContext } from "../worker_context.ts";
import { textsFrom } from "./_arguments.ts";
import { humanBytes } from "./_human_bytes.ts";

type Fields = [name: string, value: string | number][];

/** What a section is made from. */
interface Facts {
  readonly worker: WorkerContext;
  readonly nowMs: number;
  /** Connections that wait, the one that asks not among them. */
  readonly blocked: number;
  /** Error replies by prefix, over all workers. */
  readonly errors: ReadonlyMap<string, number>;
}

interface Section {
  readonly title: string;
  /** Whether it is shown when no section is named. */
  readonly isDefault: boolean;
  readonly fields: (facts: Facts) => Fields;
}

/** Sections in the order in which they are shown. */
const SECTIONS: ReadonlyMap<string, Section> = new Map([
  ["server", section("Server", serverFields)],
  ["clients", section("Clients", clientsFields)],
  ["memory", section("Memory", memoryFields)],
  ["persistence", section("Persistence", persistenceFields)],
  ["stats", section("Stats", statsFields)],
  ["replication", section("Replication", replicationFields)],
  ["cpu", section("CPU", cpuFields)],
  ["modules", section("Modules", () => [])],
  ["commandstats", section("Commandstats", commandstatsFields, false)],
  ["errorstats", section("Errorstats", errorstatsFields)],
  ["latencystats", section("Latencystats", latencystatsFields, false)],
  ["cluster", section("Cluster", () => [["cluster_enabled", 0]])],
  ["keyspace", section("Keyspace", keyspaceFields)],
]);

/** `INFO [section ...]` */
export function infoCommand(call: ServerCall): void | Promise<LateReply> {
  const chosen = chooseSections(textsFrom(call, 1));
  const { worker } = call;
  const facts = {
    worker,
    nowMs: call.nowMs,
    blocked: worker.statistics.sum(CONNECTIONS_BLOCKED),
    errors: new Map<string, number>(),
  };
  if (!chosen.has("errorstats")) {
    return call.reply.verbatim("txt", render(chosen, facts));
  }
  return worker.peers.ask(ASK_ERRORS, null).then((answers) => {
    for (const answer of answers as Record<string, number>[]) {
      for (const [prefix, count] of Object.entries(answer)) {
        facts.errors.set(prefix, (facts.errors.get(prefix) ?? 0) + count);
      }
    }
    const text = render(chosen, facts);
    return (reply) => reply.verbatim("txt", text);
  });
}

/** Names of sections; unknown ones mean nothing. */
function chooseSections(names: readonly string[]): Set<string> {
  const chosen = new Set<string>();
  for (const name of names.length === 0 ? ["default"] : names) {
    const lower = name.toLowerCase();
    for (const [known, { isDefault }] of SECTIONS) {
      if (
        lower === known || lower === "all" || lower === "everything" ||
        lower === "default" && isDefault
      ) chosen.add(known);
    }
  }
  return chosen;
}

function render(chosen: ReadonlySet<string>, facts: Facts): string {
  const texts: string[] = [];
  for (const [name, { title, fields }] of SECTIONS) {
    if (!chosen.has(name)) continue;
    const lines = fields(facts).map(([field, value]) =>
      `${field}:${value}\r\n`
    );
    texts.push(`# ${title}\r\n${lines.join("")}`);
  }
  return texts.join("\r\n");
}

function serverFields({ worker, nowMs }: Facts): Fields {
  const { settings, shared } = worker;
  const uptime = Math.floor((nowMs - shared.startedMs) / 1000);
  const port = worker.process[PROCESS_TCP_PORT]! || settings.port;
  const fields: Fields = [
    ["redis_version", REDIS_VERSION],
    ["redis_git_sha1", "00000000"],
    ["redis_git_dirty", 0],
    ["redis_mode", "standalone"],
    ["sherd_version", SHERD_VERSION],
    ["os", osName()],
    ["arch_bits", 64],
    ["multiplexing_api", worker.loop.api],
    ["process_id", Deno.pid],
    ["process_supervised", "no"],
    ["run_id", shared.runId],
    ["tcp_port", port],
    ["server_time_usec", wallMicroseconds()],
    ["uptime_in_seconds", uptime],
    ["uptime_in_days", Math.floor(uptime / 86400)],
    ["hz", settings.hz],
    ["configured_hz", settings.hz],
    ["lru_clock", Math.floor(nowMs / 1000) & 0xffffff],
    ["executable", executablePath()],
    ["config_file", worker.configFile],
    ["io_threads_active", 0],
    ["workers", shared.workers],
    ["shards", shared.controls.length],
  ];
  const listeners: string[] = [];
  if (port !== 0) {
    const bind = settings.bind.map((address) => `,bind=${address}`).join("");
    listeners.push(`name=tcp${bind},port=${port}`);
  }
  if (settings.unixsocket !== "") {
    listeners.push(`name=unix,bind=${settings.unixsocket}`);
  }
  listeners.forEach((text, i) => fields.push([`listener${i}`, text]));
  return fields;
}

function clientsFields({ worker, blocked }: Facts): Fields {
  const { statistics, settings, call } = worker;
  return [
    ["connected_clients", statistics.sum(CONNECTIONS_OPEN)],
    ["cluster_connections", 0],
    ["maxclients", settings.maxclients],
    ["client_recent_max_input_buffer", statistics.max(INPUT_BUFFER_MAX)],
    ["client_recent_max_output_buffer", statistics.max(OUTPUT_BUFFER_MAX)],
    ["blocked_clients", blocked],
    ["sherd_blocked_on_locks", statistics.sum(CONNECTIONS_ON_LOCKS)],
    ["tracking_clients", worker.tracking.clientCount],
    ["clients_in_timeout_table", 0],
    [
      "total_blocking_keys",
      call.keyspaces.reduce((sum, space) => sum + space.hooks.waiters.count, 0),
    ],
  ];
}

function memoryFields({ worker }: Facts): Fields {
  const { settings, statistics } = worker;
  const report = reportMemory(worker);
  const { usedBytes, peakBytes, startupBytes, rssBytes } = report;
  const machine = machineBytes();
  const pending = worker.call.keyspaces
    .reduce((sum, space) => sum + detachedCount(space), 0);
  return [
    ...sized("used_memory", usedBytes),
    ...sized("used_memory_rss", rssBytes),
    ...sized("used_memory_peak", peakBytes),
    ["used_memory_peak_perc", percent(usedBytes, peakBytes)],
    ["used_memory_overhead", report.overheadBytes],
    ["used_memory_startup", startupBytes],
    ["used_memory_dataset", report.datasetBytes],
    [
      "used_memory_dataset_perc",
      percent(report.datasetBytes, usedBytes - startupBytes),
    ],
    ["allocator_allocated", report.allocatedBytes],
    ["allocator_active", report.activeBytes],
    ["allocator_resident", report.residentBytes],
    ...sized("total_system_memory", machine),
    ["used_memory_lua", 0],
    ["used_memory_vm_eval", 0],
    ["used_memory_lua_human", humanBytes(0)],
    ["used_memory_scripts_eval", 0],
    ["number_of_cached_scripts", 0],
    ["number_of_functions", 0],
    ["number_of_libraries", 0],
    ["used_memory_vm_functions", 0],
    ["used_memory_vm_total", 0],
    ["used_memory_vm_total_human", humanBytes(0)],
    ["used_memory_functions", 0],
    ...sized("used_memory_scripts", 0),
    ["maxmemory", settings.text("maxmemory")],
    ["maxmemory_human", humanBytes(settings.maxmemory)],
    ["maxmemory_policy", settings.text("maxmemory-policy")],
    ...waste("allocator_frag", report.activeBytes, report.allocatedBytes),
    ...waste("allocator_rss", report.residentBytes, report.activeBytes),
    ...waste("rss_overhead", rssBytes, report.residentBytes),
    ...waste("mem_fragmentation", rssBytes, usedBytes),
    ["mem_not_counted_for_evict", report.tableBytes],
    ["mem_replication_backlog", 0],
    ["mem_total_replication_buffers", 0],
    ["mem_clients_slaves", 0],
    ["mem_clients_normal", report.clientBytes],
    ["mem_cluster_links", 0],
    ["mem_aof_buffer", 0],
    ["mem_allocator", `sherd-${SHERD_VERSION}`],
    ["lazyfree_pending_objects", pending],
    ["lazyfreed_objects", 0],
    ["sherd_heap_used", statistics.sum(HEAP_USED_BYTES)],
    ["sherd_heap_total", statistics.sum(HEAP_TOTAL_BYTES)],
    ["sherd_heap_used_max", statistics.max(HEAP_USED_BYTES)],
  ];
}

function persistenceFields({ worker, nowMs }: Facts): Fields {
  const { facts, statistics } = worker;
  const fact = (index: number) => facts[index]!;
  const isSaving = fact(SAVING) !== 0;
  const sinceSave = statistics.sum(CHANGES) - fact(LAST_SAVE_CHANGES);
  return [
    ["loading", fact(LOADING)],
    ["async_loading", 0],
    ["current_cow_peak", isSaving ? fact(SAVING_PEAK_BYTES) : 0],
    ["current_cow_size", worker.process[PROCESS_SNAPSHOT_BYTES]!],
    ["current_cow_size_age", 0],
    ["current_fork_perc", isSaving ? savedPercent(facts) : "0.00"],
    ["current_save_keys_processed", isSaving ? fact(SAVING_KEYS_DONE) : 0],
    ["current_save_keys_total", isSaving ? fact(SAVING_KEYS) : 0],
    ["rdb_changes_since_last_save", Math.max(0, sinceSave)],
    ["rdb_bgsave_in_progress", isSaving ? 1 : 0],
    ["rdb_last_save_time", fact(LAST_SAVE_S)],
    ["rdb_last_bgsave_status", fact(LAST_SAVE_FAILED) === 0 ? "ok" : "err"],
    ["rdb_last_bgsave_time_sec", fact(LAST_SAVE_SECONDS)],
    [
      "rdb_current_bgsave_time_sec",
      isSaving ? Math.floor((nowMs - fact(SAVING_START_MS)) / 1000) : -1,
    ],
    ["rdb_saves", fact(SAVES)],
    ["rdb_last_cow_size", fact(LAST_SAVE_PEAK_BYTES)],
    ["rdb_last_load_keys_expired", fact(LAST_LOAD_EXPIRED)],
    ["rdb_last_load_keys_loaded", fact(LAST_LOAD_KEYS)],
    ...logFields(worker, nowMs),
    ...loadingFields(facts, nowMs),
  ];
}

/** Share of the keys that the snapshot under way has. */
function savedPercent(facts: Float64Array): string {
  const keys = facts[SAVING_KEYS]!;
  return keys === 0
    ? "0.00"
    : (facts[SAVING_KEYS_DONE]! * 100 / keys).toFixed(2);
}

/** How loading goes, while it does. */
function loadingFields(facts: Float64Array, nowMs: number): Fields {
  if (facts[LOADING] === 0) return [];
  const total = facts[LOADING_TOTAL_BYTES]!;
  const done = facts[LOADING_DONE_BYTES]!;
  const start = facts[LOADING_START_S]!;
  const seconds = Math.max(0, nowMs / 1000 - start);
  const left = done === 0 ? 1 : Math.ceil(seconds * (total - done) / done);
  return [
    ["loading_start_time", start],
    ["loading_total_bytes", total],
    ["loading_rdb_used_mem", 0],
    ["loading_loaded_bytes", done],
    ["loading_loaded_perc", (total === 0 ? 0 : done * 100 / total).toFixed(2)],
    ["loading_eta_seconds", left],
  ];
}

function statsFields({ worker }: Facts): Fields {
  const { statistics, pubsub, tracking, call } = worker;
  const sum = (counter: number) => statistics.sum(counter);
  const lockedKeys = worker.call.keyspaces
    .reduce((keys, { locks }) => keys + locks.count, 0);
  const kilobytes = (counter: number) =>
    (statistics.rate(counter) / 1024).toFixed(2);
  return [
    ["total_connections_received", sum(CONNECTIONS_RECEIVED)],
    ["total_commands_processed", sum(COMMANDS_PROCESSED)],
    [
      "instantaneous_ops_per_sec",
      Math.round(statistics.rate(COMMANDS_PROCESSED)),
    ],
    ["total_net_input_bytes", sum(NET_INPUT_BYTES)],
    ["total_net_output_bytes", sum(NET_OUTPUT_BYTES)],
    ["total_net_repl_input_bytes", 0],
    ["total_net_repl_output_bytes", 0],
    ["instantaneous_input_kbps", kilobytes(NET_INPUT_BYTES)],
    ["instantaneous_output_kbps", kilobytes(NET_OUTPUT_BYTES)],
    ["instantaneous_input_repl_kbps", "0.00"],
    ["instantaneous_output_repl_kbps", "0.00"],
    ["rejected_connections", sum(CONNECTIONS_REJECTED)],
    ["sync_full", 0],
    ["sync_partial_ok", 0],
    ["sync_partial_err", 0],
    ["expired_subkeys", sum(EXPIRED_SUBKEYS)],
    ["expired_keys", sum(EXPIRED_KEYS)],
    ["expired_stale_perc", statistics.mean(EXPIRE_CYCLE_STALE).toFixed(2)],
    ["expired_time_cap_reached_count", sum(EXPIRE_CYCLE_CAPPED)],
    ["expire_cycle_cpu_milliseconds", Math.floor(sum(EXPIRE_CYCLE_MS))],
    ["evicted_keys", sum(EVICTED_KEYS)],
    ["evicted_clients", 0],
    ["total_eviction_exceeded_time", Math.floor(sum(EVICTION_MS))],
    ["keyspace_hits", sum(KEYSPACE_HITS)],
    ["keyspace_misses", sum(KEYSPACE_MISSES)],
    ["pubsub_channels", pubsub.nameCount(CHANNEL)],
    ["pubsub_patterns", pubsub.patternCount],
    ["pubsubshard_channels", pubsub.nameCount(SHARD_CHANNEL)],
    ["latest_fork_usec", 0],
    ["total_forks", 0],
    ["migrate_cached_sockets", 0],
    ["slave_expires_tracked_keys", 0],
    ["active_defrag_hits", sum(DEFRAG_HITS)],
    ["active_defrag_misses", sum(DEFRAG_MISSES)],
    ["tracking_total_keys", tracking.keyCount],
    [
      "tracking_total_items",
      call.keyspaces.reduce((sum, space) => sum + space.hooks.tracked.items, 0),
    ],
    ["tracking_total_prefixes", tracking.prefixes.count],
    ["unexpected_error_replies", 0],
    ["total_error_replies", sum(ERROR_REPLIES)],
    ["dump_payload_sanitizations", 0],
    ["total_reads_processed", sum(READS_PROCESSED)],
    ["total_writes_processed", sum(WRITES_PROCESSED)],
    ["io_threaded_reads_processed", 0],
    ["io_threaded_writes_processed", 0],
    ["client_query_buffer_limit_disconnections", sum(QUERY_BUFFER_DISCONNECTS)],
    [
      "client_output_buffer_limit_disconnections",
      sum(OUTPUT_BUFFER_DISCONNECTS),
    ],
    ["reply_buffer_shrinks", 0],
    ["reply_buffer_expands", 0],
    ["acl_access_denied_auth", sum(AUTH_FAILURES)],
    ["acl_access_denied_cmd", 0],
    ["acl_access_denied_key", 0],
    ["acl_access_denied_channel", 0],
    ["sherd_commands_forwarded", sum(COMMANDS_FORWARDED)],
    ["sherd_latch_contentions", sum(LATCH_CONTENTIONS)],
    ["sherd_latch_sleeps", sum(LATCH_SLEEPS)],
    ["sherd_background_commands", sum(BACKGROUND_COMMANDS)],
    ["sherd_background_retries", sum(BACKGROUND_RETRIES)],
    ["sherd_sliced_commands", sum(SLICED_COMMANDS)],
    ["sherd_latch_long_waits", sum(LATCH_LONG_WAITS)],
    ["sherd_locked_keys", lockedKeys],
    ["sherd_lock_handles", sum(LOCK_HANDLES)],
    ["sherd_read_locks_granted", sum(READ_LOCKS_GRANTED)],
    ["sherd_write_locks_granted", sum(WRITE_LOCKS_GRANTED)],
    ["sherd_locks_queued", sum(LOCKS_QUEUED)],
    ["sherd_locks_denied", sum(LOCKS_DENIED)],
    ["sherd_locks_aborted", sum(LOCK_ABORTS)],
    ["sherd_lock_restarts", sum(LOCK_RESTARTS)],
    ["sherd_lock_conflicts", sum(LOCK_CONFLICTS)],
    ["sherd_lock_hold_max_ms", Math.round(statistics.max(LOCK_HOLD_MAX_MS))],
    ["sherd_lock_parked_commands", sum(COMMANDS_PARKED)],
    ["sherd_lock_wait_timeouts", sum(LOCK_TIMEOUTS)],
    ["sherd_lock_wait_ms", Math.round(sum(LOCK_WAIT_MS))],
    ["sherd_lock_wait_max_ms", Math.round(statistics.max(LOCK_WAIT_MAX_MS))],
  ];
}

function replicationFields({ worker }: Facts): Fields {
  return [
    ["role", "master"],
    ["connected_slaves", 0],
    ["master_failover_state", "no-failover"],
    ["master_replid", worker.shared.runId],
    ["master_replid2", "0".repeat(40)],
    ["master_repl_offset", 0],
    ["second_repl_offset", -1],
    ["repl_backlog_active", 0],
    ["repl_backlog_size", 0],
    ["repl_backlog_first_byte_offset", 0],
    ["repl_backlog_histlen", 0],
  ];
}

function cpuFields(): Fields {
  const { user, system } = processTimes();
  const fields: Fields = [
    ["used_cpu_sys", system.toFixed(6)],
    ["used_cpu_user", user.toFixed(6)],
    ["used_cpu_sys_children", "0.000000"],
    ["used_cpu_user_children", "0.000000"],
  ];
  const main = mainThreadTimes();
  if (main !== null) {
    fields.push(
      ["used_cpu_sys_main_thread", main.system.toFixed(6)],
      ["used_cpu_user_main_thread", main.user.toFixed(6)],
    );
  }
  return fields;
}

function commandstatsFields({ worker: { table, statistics } }: Facts): Fields {
  const fields: Fields = [];
  for (const { fullName, index } of table.all) {
    const { calls, microseconds, rejected, failed } = statistics.command(index);
    if (calls === 0 && rejected === 0) continue;
    const each = calls === 0 ? 0 : microseconds / calls;
    fields.push([
      `cmdstat_${fullName}`,
      `calls=${calls},usec=${Math.round(microseconds)},` +
      `usec_per_call=${each.toFixed(2)},rejected_calls=${rejected},` +
      `failed_calls=${failed}`,
    ]);
  }
  return fields;
}

function errorstatsFields({ errors }: Facts): Fields {
  return [...errors].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([prefix, count]) => [`errorstat_${prefix}`, `count=${count}`]);
}

function latencystatsFields({ worker }: Facts): Fields {
  const { table, statistics, settings } = worker;
  const percentiles = settings.latencyTrackingInfoPercentiles;
  const fields: Fields = [];
  for (const { fullName, index } of table.all) {
    const durations = statistics.durations(index);
    if (durations.length === 0 || !settings.latencyTracking) continue;
    const values = percentiles.map((percentile) =>
      `p${percentile}=${percentileOf(durations, percentile).toFixed(3)}`
    );
    fields.push([`latency_percentiles_usec_${fullName}`, values.join(",")]);
  }
  return fields;
}

/** The bound of the bucket in which a share of the calls is reached. */
function percentileOf(
  durations: readonly number[],
  percentile: number,
): number {
  const wanted = durations.reduce((sum, calls) => sum + calls, 0) *
    percentile / 100;
  let bucket = 0;
  let calls = durations[0]!;
  while (bucket < durations.length - 1 && (calls < wanted || calls === 0)) {
    calls += durations[++bucket]!;
  }
  return bucketMicroseconds(bucket);
}

function keyspaceFields({ worker }: Facts): Fields {
  const { keyspaces } = worker.call;
  const fields: Fields = [];
  for (let db = 0; db < worker.shared.databases; db++) {
    let keys = 0;
    let expires = 0;
    let subexpiry = 0;
    for (const space of keyspaces) {
      keys += space.count(db);
      expires += space.expiresCount(db);
      subexpiry += space.fieldExpiresCount(db);
    }
    if (keys === 0) continue;
    const counts = [`keys=${keys}`, `expires=${expires}`, "avg_ttl=0"];
    fields.push([`db${db}`, [...counts, `subexpiry=${subexpiry}`].join()]);
  }
  return fields;
}

function section(
  title: string,
  fields: Section["fields"],
  isDefault = true,
): Section {
  return { title, isDefault, fields };
}

function sized(name: string, bytes: number): Fields {
  return [[name, bytes], [`${name}_human`, humanBytes(bytes)]];
}

/** How much `have` is above `needed`. */
function waste(name: string, have: number, needed: number): Fields {
  const ratio = needed === 0 ? 0 : have / needed;
  return [
    [`${name}_ratio`, ratio.toFixed(2)],
    [`${name}_bytes`, have - needed],
  ];
}

function percent(part: number, whole: number): string {
  return `${(whole <= 0 ? 0 : part * 100 / whole).toFixed(2)}%`;
}

/** The commands of this file. */
export const INFO_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "info",
    group: "server",
    since: "1.0.0",
    summary: "Reports the server's state and counters.",
    complexity: "O(1)",
    arity: -1,
    flags: ["loading", "stale"],
    categories: ["dangerous"],
    tips: [
      "nondeterministic_output",
      "request_policy:all_shards",
      "response_policy:special",
    ],
    syntax: "[section...]",
    replies: ["string"],
    run: infoCommand,
  },
];
