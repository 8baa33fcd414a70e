/**
 * Every setting that sherd knows, as data: the names, kinds, ranges and
 * defaults are Redis's, except where a default of Redis would be untrue or
 * unsafe here (loopback only) or unwanted (no save points).
 *
 * A value that is accepted is true. A feature that does not exist yet has its
 * row, with the one value that holds today; any other is refused with the
 * reason. Two more tables are for configuration files written for Redis: what
 * may be passed over because it cannot change what a client sees, and what
 * may not because the writer relies on it.
 *
 * Size: a table.
 *
 * @module
 */

import type {
  SettingChange,
  SettingKind,
  SettingSpec,
} from "./setting_spec.ts";

const INT_MAX = 2147483647n;
const UINT_MAX = 4294967295n;
const LONG_MAX = 9223372036854775807n;
const ULONG_MAX = 18446744073709551615n;

/** The texts of `maxmemory-policy`; see {@linkcode MAXMEMORY_POLICY}. */
const MAXMEMORY_POLICIES = [
  "volatile-lru",
  "volatile-lfu",
  "volatile-random",
  "volatile-ttl",
  "allkeys-lru",
  "allkeys-lfu",
  "allkeys-random",
  "noeviction",
] as const;

/** What `Settings.maxmemoryPolicy` can be: an index into the enum's texts. */
export const MAXMEMORY_POLICY = {
  VOLATILE_LRU: 0,
  VOLATILE_LFU: 1,
  VOLATILE_RANDOM: 2,
  VOLATILE_TTL: 3,
  ALLKEYS_LRU: 4,
  ALLKEYS_LFU: 5,
  ALLKEYS_RANDOM: 6,
  NOEVICTION: 7,
} as const;

/** What `Settings.loglevel` can be. */
export const LOG_LEVEL = {
  DEBUG: 0,
  VERBOSE: 1,
  NOTICE: 2,
  WARNING: 3,
  NOTHING: 4,
} as const;

/** What `enable-debug-command` and `enable-protected-configs` can be. */
export const PERMISSION = { NO: 0, YES: 1, LOCAL: 2 } as const;

const BOOLEAN: SettingKind = { type: "boolean" };
const STRING: SettingKind = { type: "string" };
const FILE_NAME: SettingKind = { type: "string", fileName: true };
const COUNT: SettingKind = integer(0n, LONG_MAX);
const LIST_PACK_BYTES: SettingKind = memory(0n, LONG_MAX);
const PERMISSIONS: SettingKind = oneOf("no", "yes", "local");

function integer(
  min: bigint,
  max: bigint,
  clamp?: readonly [bigint, bigint],
): SettingKind {
  return { type: "integer", min, max, ...clamp && { clamp } };
}

function memory(min: bigint, max: bigint): SettingKind {
  return { type: "memory", min, max };
}

function oneOf(...values: string[]): SettingKind {
  return { type: "enum", values };
}

function row(change: SettingChange) {
  return (
    name: string,
    kind: SettingKind,
    fallback: string,
    summary: string,
    more?: Pick<SettingSpec, "aliases" | "only">,
  ): SettingSpec => ({
    name,
    kind,
    default: fallback,
    change,
    summary,
    ...more,
  });
}

/** Settings that CONFIG SET may change. */
const live = row("live");
/** Settings that hold from start to end. */
const atStart = row("start");
/** Settings that CONFIG SET may change only with permission. */
const guarded = row("protected");

function alias(...aliases: string[]): { aliases: readonly string[] } {
  return { aliases };
}

function only(
  text: string,
  why: string,
): { only: NonNullable<SettingSpec["only"]> } {
  return { only: { texts: [text], why } };
}

const NO_DAEMON = "start it in the background with a service manager";

const NETWORK: readonly SettingSpec[] = [
  atStart(
    "port",
    integer(0n, 65535n),
    "6379",
    "TCP port; 0 listens on no TCP port",
  ),
  atStart(
    "bind",
    { type: "addresses" },
    "127.0.0.1 -::1",
    "Addresses to listen on; a leading - allows one to be missing",
  ),
  atStart("unixsocket", STRING, "", "Path of a unix socket to listen on"),
  atStart(
    "unixsocketperm",
    { type: "octal", max: 0o777 },
    "0",
    "Permissions of the unix socket in octal; 0 leaves them to the umask",
  ),
  atStart(
    "tcp-backlog",
    integer(0n, INT_MAX),
    "511",
    "Connections that the kernel may queue before they are accepted",
  ),
  live(
    "tcp-keepalive",
    integer(0n, INT_MAX),
    "300",
    "Seconds of silence after which a peer is probed; 0 never probes",
  ),
  live(
    "timeout",
    integer(0n, INT_MAX),
    "0",
    "Seconds after which an idle connection is closed; 0 never",
  ),
  live(
    "tracking-table-max-keys",
    COUNT,
    "1000000",
    "Most keys that clients may have in caches of their own; 0 is no limit",
  ),
  live(
    "maxclients",
    integer(1n, UINT_MAX),
    "10000",
    "Most connections at a time",
  ),
  live(
    "tls-port",
    integer(0n, 65535n),
    "0",
    "TCP port for TLS; 0 listens on none",
    only("0", "there is no TLS yet"),
  ),
];

const SECURITY: readonly SettingSpec[] = [
  live(
    "protected-mode",
    BOOLEAN,
    "yes",
    "Without a password, accept connections from this machine only",
  ),
  live(
    "requirepass",
    { type: "secret" },
    "",
    "Password that AUTH asks for; empty asks for none",
  ),
  atStart(
    "enable-debug-command",
    PERMISSIONS,
    "no",
    "Whether DEBUG may be used: no, yes, or over local connections",
  ),
  atStart(
    "enable-protected-configs",
    PERMISSIONS,
    "no",
    "Whether CONFIG SET may change dir, dbfilename and their like",
  ),
  atStart(
    "enable-module-command",
    PERMISSIONS,
    "no",
    "Whether MODULE may be used",
    only("no", "modules are native code of Redis"),
  ),
];

const GENERAL: readonly SettingSpec[] = [
  atStart(
    "workers",
    integer(1n, 256n),
    "1",
    "Threads that serve connections",
  ),
  atStart(
    "databases",
    integer(1n, INT_MAX),
    "16",
    "Number of databases for SELECT",
  ),
  atStart(
    "background-threads",
    integer(0n, 32n),
    "2",
    "Threads for long commands, started when there is one; 0 for none",
  ),
  live(
    "background-threshold",
    integer(1n, LONG_MAX),
    "2000",
    "Elements from which on a command is run in the background",
  ),
  live(
    "background-threshold-bytes",
    memory(1n, LONG_MAX),
    "262144",
    "Bytes of strings from which on a command is run in the background",
  ),
  live(
    "background-threshold-keys",
    integer(1n, LONG_MAX),
    "1200",
    "Keys of one command from which on it goes through them in slices",
  ),
  live(
    "background-queue",
    integer(0n, INT_MAX),
    "64",
    "Most commands in the background at a time; more are run at once",
  ),
  atStart(
    "warm-up",
    BOOLEAN,
    "no",
    "Whether workers run commands of their own at first, which makes others fast",
  ),
  live(
    "loglevel",
    oneOf("debug", "verbose", "notice", "warning", "nothing"),
    "notice",
    "Least important kind of message that is logged",
  ),
  atStart("logfile", STRING, "", "Log to this file; empty is standard output"),
  atStart("pidfile", STRING, "", "Write the process id to this file"),
  atStart(
    "daemonize",
    BOOLEAN,
    "no",
    "Whether to detach from the terminal",
    only("no", NO_DAEMON),
  ),
  atStart(
    "supervised",
    oneOf("upstart", "systemd", "auto", "no"),
    "no",
    "Whether to report to a service manager",
    only("no", "nothing is reported to service managers yet"),
  ),
  atStart(
    "always-show-logo",
    BOOLEAN,
    "no",
    "Whether to log a picture at start",
    only("no", "there is no picture"),
  ),
  atStart(
    "io-threads",
    integer(1n, 128n),
    "1",
    "Threads for reading and writing alone",
    only("1", "use workers: each one reads, executes and writes"),
  ),
  atStart(
    "cluster-enabled",
    BOOLEAN,
    "no",
    "Whether to be a node of a cluster",
    only("no", "there is no cluster mode yet"),
  ),
  live(
    "hz",
    integer(0n, INT_MAX, [1n, 500n]),
    "10",
    "Rounds of background work a second, 1 to 500",
  ),
  live(
    "dynamic-hz",
    BOOLEAN,
    "yes",
    "Whether to raise hz while many clients are connected",
  ),
  live(
    "notify-keyspace-events",
    { type: "eventClasses" },
    "",
    "Classes of events of keys that are published, as letters",
  ),
  live(
    "locale-collate",
    STRING,
    "",
    "Locale in which texts are compared",
    only("", "texts are compared as bytes"),
  ),
  live(
    "busy-reply-threshold",
    COUNT,
    "5000",
    "Milliseconds after which a running script is reported as busy",
    alias("lua-time-limit"),
  ),
];

const MEMORY: readonly SettingSpec[] = [
  live(
    "maxmemory",
    memory(0n, ULONG_MAX),
    "0",
    "Bytes that the data may take; 0 sets no limit",
  ),
  live(
    "maxmemory-policy",
    oneOf(...MAXMEMORY_POLICIES),
    "noeviction",
    "Which keys make room when maxmemory is reached",
  ),
  live(
    "maxmemory-samples",
    integer(1n, INT_MAX),
    "5",
    "Keys compared to find one to evict",
  ),
  live(
    "maxmemory-eviction-tenacity",
    integer(0n, 100n),
    "10",
    "Effort for evicting: 0 for low latency, 100 for no limit",
  ),
  live(
    "maxmemory-clients",
    { type: "memoryOrPercent" },
    "0",
    "Bytes for the buffers of all connections, or a share of maxmemory",
  ),
  live(
    "lfu-log-factor",
    integer(0n, INT_MAX),
    "10",
    "How slowly the access counters of LFU grow",
  ),
  live(
    "lfu-decay-time",
    integer(0n, INT_MAX),
    "1",
    "Minutes after which an access counter loses one; 0 never",
  ),
  live(
    "active-expire-effort",
    integer(1n, 10n),
    "1",
    "Effort for finding expired keys that nobody asks for",
  ),
  live(
    "lazyfree-lazy-eviction",
    BOOLEAN,
    "no",
    "Whether evicted values are freed in the background",
  ),
  live(
    "lazyfree-lazy-expire",
    BOOLEAN,
    "no",
    "Whether expired values are freed in the background",
  ),
  live(
    "lazyfree-lazy-server-del",
    BOOLEAN,
    "no",
    "Whether overwritten values are freed in the background",
  ),
  live(
    "lazyfree-lazy-user-del",
    BOOLEAN,
    "no",
    "Whether DEL frees as UNLINK does",
  ),
  live(
    "lazyfree-lazy-user-flush",
    BOOLEAN,
    "no",
    "Whether FLUSHALL and FLUSHDB are ASYNC when they do not say",
  ),
  live(
    "activedefrag",
    BOOLEAN,
    "no",
    "Whether memory is defragmented while the server runs",
  ),
  live(
    "active-defrag-ignore-bytes",
    memory(1n, LONG_MAX),
    String(100 << 20),
    "Waste below which nothing is defragmented",
  ),
  live(
    "active-defrag-threshold-lower",
    integer(0n, 1000n),
    "10",
    "Percentage of waste at which defragmentation starts",
  ),
  live(
    "active-defrag-threshold-upper",
    integer(0n, 1000n),
    "100",
    "Percentage of waste at which it makes the greatest effort",
  ),
  live(
    "active-defrag-cycle-min",
    integer(1n, 99n),
    "1",
    "Least effort of defragmentation, in percent of a core",
  ),
  live(
    "active-defrag-cycle-max",
    integer(1n, 99n),
    "25",
    "Greatest effort of defragmentation, in percent of a core",
  ),
  live(
    "active-defrag-max-scan-fields",
    integer(1n, LONG_MAX),
    "1000",
    "Elements of a collection that are moved at a time",
  ),
];

const LIMITS: readonly SettingSpec[] = [
  live(
    "proto-max-bulk-len",
    memory(1n << 20n, LONG_MAX),
    String(512 << 20),
    "Longest argument that a client may send",
  ),
  live(
    "client-query-buffer-limit",
    memory(1n << 20n, LONG_MAX),
    String(1 << 30),
    "Most bytes of unfinished requests of one connection",
  ),
  live(
    "client-output-buffer-limit",
    { type: "outputBufferLimits" },
    "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    "Per class: hard limit, soft limit, seconds above the soft one",
  ),
];

/** What `Settings.lockFairness` can be. */
export const LOCK_FAIRNESS = { READERS_PASS: 0, FIFO: 1 } as const;

const LOCKS: readonly SettingSpec[] = [
  live(
    "lock-wait-timeout",
    COUNT,
    "0",
    "Milliseconds that a command waits for locked keys; 0 for ever",
  ),
  live(
    "lock-hold-warning",
    COUNT,
    "1000",
    "Milliseconds from which locks that are held are logged; 0 never",
  ),
  live(
    "lock-hold-timeout",
    COUNT,
    "60000",
    "Milliseconds after which locks are taken from their holder; 0 never",
  ),
  live(
    "lock-fairness",
    oneOf("readers-pass", "fifo"),
    "readers-pass",
    "Whether commands that read pass those that wait to write",
  ),
];

const MONITORING: readonly SettingSpec[] = [
  live(
    "slowlog-log-slower-than",
    integer(-1n, LONG_MAX),
    "10000",
    "Microseconds from which a command is slow; -1 logs none",
  ),
  live(
    "slowlog-max-len",
    COUNT,
    "128",
    "Slow commands that are remembered",
  ),
  live(
    "latency-monitor-threshold",
    COUNT,
    "0",
    "Milliseconds from which LATENCY records an event; 0 records none",
  ),
  live(
    "latency-tracking",
    BOOLEAN,
    "yes",
    "Whether INFO tells percentiles of each command's latency",
  ),
  live(
    "latency-tracking-info-percentiles",
    { type: "percentiles" },
    "50 99 99.9",
    "The percentiles that INFO tells",
  ),
];

const PERSISTENCE: readonly SettingSpec[] = [
  guarded("dir", STRING, ".", "Directory of the files"),
  guarded("dbfilename", FILE_NAME, "dump.rdb", "File name of the snapshot"),
  live(
    "save",
    { type: "savePoints" },
    "",
    "Seconds and changes after which a snapshot is taken",
  ),
  live(
    "appendonly",
    BOOLEAN,
    "no",
    "Whether every change is logged to a file",
  ),
  live(
    "appendfsync",
    oneOf("everysec", "always", "no"),
    "everysec",
    "When the log of changes is forced to disk",
  ),
  atStart(
    "appendfilename",
    FILE_NAME,
    "appendonly.aof",
    "File name of the log of changes",
  ),
  atStart(
    "appenddirname",
    FILE_NAME,
    "appendonlydir",
    "Directory of the log, below dir",
  ),
  live(
    "aof-load-truncated",
    BOOLEAN,
    "yes",
    "Whether the end of the log is cut off where it is not whole",
  ),
  live(
    "auto-aof-rewrite-percentage",
    integer(0n, INT_MAX),
    "100",
    "Growth of the log at which it is rewritten; 0 never",
  ),
  live(
    "auto-aof-rewrite-min-size",
    memory(0n, LONG_MAX),
    String(64 << 20),
    "Size below which the log is never rewritten",
  ),
  live(
    "rdbcompression",
    BOOLEAN,
    "yes",
    "Whether strings in a snapshot are compressed",
  ),
  atStart(
    "rdbchecksum",
    BOOLEAN,
    "yes",
    "Whether a snapshot ends with a checksum",
  ),
  live(
    "stop-writes-on-bgsave-error",
    BOOLEAN,
    "yes",
    "Whether writes are refused after a snapshot failed",
  ),
];

const ENCODINGS: readonly SettingSpec[] = [
  live(
    "hash-max-listpack-entries",
    COUNT,
    "512",
    "Most fields of a packed hash",
    alias("hash-max-ziplist-entries"),
  ),
  live(
    "hash-max-listpack-value",
    LIST_PACK_BYTES,
    "64",
    "Longest field or value of a packed hash",
    alias("hash-max-ziplist-value"),
  ),
  live(
    "list-max-listpack-size",
    integer(-(1n << 31n), INT_MAX),
    "-2",
    "Elements of a packed list, or -1 to -5 for 4 kB to 64 kB",
    alias("list-max-ziplist-size"),
  ),
  live(
    "list-compress-depth",
    integer(0n, INT_MAX),
    "0",
    "Nodes at each end of a list that stay uncompressed",
    only("0", "lists are not compressed"),
  ),
  live(
    "set-max-intset-entries",
    COUNT,
    "512",
    "Most members of a packed set of integers",
  ),
  live(
    "set-max-listpack-entries",
    COUNT,
    "128",
    "Most members of a packed set",
  ),
  live(
    "set-max-listpack-value",
    LIST_PACK_BYTES,
    "64",
    "Longest member of a packed set",
  ),
  live(
    "zset-max-listpack-entries",
    COUNT,
    "128",
    "Most members of a packed sorted set",
    alias("zset-max-ziplist-entries"),
  ),
  live(
    "zset-max-listpack-value",
    LIST_PACK_BYTES,
    "64",
    "Longest member of a packed sorted set",
    alias("zset-max-ziplist-value"),
  ),
  live(
    "stream-node-max-bytes",
    LIST_PACK_BYTES,
    "4096",
    "Bytes of one node of a stream; 0 sets no limit",
  ),
  live(
    "stream-node-max-entries",
    COUNT,
    "100",
    "Entries of one node of a stream; 0 sets no limit",
  ),
  live(
    "hll-sparse-max-bytes",
    LIST_PACK_BYTES,
    "3000",
    "Longest HyperLogLog that stays sparse",
  ),
];

/**
 * Lines of Redis's own configuration file that are passed over: they tune how
 * Redis works inside, or a feature that the rows above keep switched off, and
 * no client can tell the difference.
 */
export const IGNORED_DIRECTIVES: ReadonlySet<string> = new Set([
  "acllog-max-len",
  "activerehashing",
  "aof-rewrite-incremental-fsync",
  "aof-timestamp-enabled",
  "aof-use-rdb-preamble",
  "crash-log-enabled",
  "crash-memcheck-enabled",
  "disable-thp",
  "io-threads-do-reads",
  "jemalloc-bg-thread",
  "no-appendfsync-on-rewrite",
  "oom-score-adj",
  "oom-score-adj-values",
  "proc-title-template",
  "rdb-del-sync-files",
  "rdb-save-incremental-fsync",
  "repl-disable-tcp-nodelay",
  "repl-diskless-load",
  "repl-diskless-sync",
  "repl-diskless-sync-delay",
  "repl-diskless-sync-max-replicas",
  "replica-lazy-flush",
  "replica-priority",
  "replica-read-only",
  "replica-serve-stale-data",
  "sanitize-dump-payload",
  "set-proc-title",
]);

const NO_REPLICATION = "there is no replication yet";
const NO_ACL = "there are no users beside the default one yet";

/** Lines of Redis's configuration file that are refused, and why. */
export const REFUSED_DIRECTIVES: ReadonlyMap<string, string> = new Map([
  ["aclfile", NO_ACL],
  ["loadmodule", "modules are native code of Redis"],
  ["masterauth", NO_REPLICATION],
  ["masteruser", NO_REPLICATION],
  ["rename-command", "commands cannot be renamed"],
  ["replicaof", NO_REPLICATION],
  ["slaveof", NO_REPLICATION],
  ["user", NO_ACL],
]);

/** All settings, in the order in which CONFIG GET prints them. */
export const SETTINGS_TABLE: readonly SettingSpec[] = [
  ...NETWORK,
  ...SECURITY,
  ...GENERAL,
  ...MEMORY,
  ...LIMITS,
  ...LOCKS,
  ...MONITORING,
  ...PERSISTENCE,
  ...ENCODINGS,
];

/** The row and the name asked for: its own or an alias. */
const ROWS: ReadonlyMap<string, number> = new Map(
  SETTINGS_TABLE.flatMap((spec, index) =>
    [spec.name, ...spec.aliases ?? []].map((name) => [name, index] as const)
  ),
);

/** Index of the row with this name or alias in any case, or -1. */
export function findSetting(name: string): number {
  return ROWS.get(name.toLowerCase()) ?? -1;
}
