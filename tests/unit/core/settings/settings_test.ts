import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  bytesToText,
  parseConfig,
} from "../../../../src/core/settings/config_file.ts";
import { Settings } from "../../../../src/core/settings/settings.ts";
import {
  LOG_LEVEL,
  MAXMEMORY_POLICY,
  PERMISSION,
  SETTINGS_TABLE,
} from "../../../../src/core/settings/settings_table.ts";

const HOST = { cores: 4, dir: "/data" };

function loaded(content: string): Settings {
  const settings = new Settings(HOST);
  const { directives } = parseConfig(content, "test.conf");
  assertEquals(settings.load(directives!).error, undefined);
  return settings;
}

/** The text of CONFIG SET's error, or "OK". */
function set(settings: Settings, ...words: string[]): string {
  const pairs: [string, string][] = [];
  for (let i = 0; i < words.length; i += 2) {
    pairs.push([words[i]!, words[i + 1]!]);
  }
  return settings.set(pairs)?.text ?? "OK";
}

/** Globs of these tests: a trailing star or nothing. */
function startsAs(pattern: string, name: string): boolean {
  return name.startsWith(pattern.slice(0, -1));
}

Deno.test("Settings are safe by default", () => {
  const settings = new Settings(HOST);
  assertEquals(settings.port, 6379);
  assertEquals(settings.bind, ["127.0.0.1", "-::1"]);
  assertEquals(settings.protectedMode, true);
  assertEquals(settings.enableDebugCommand, PERMISSION.NO);
  assertEquals(settings.workers, 4);
  assertEquals(settings.dir, "/data");
  assertEquals(settings.requirepass.length, 0);
  assertEquals(new Settings({ cores: 1000, dir: "" }).workers, 256);
});

Deno.test("every default is what its own row accepts", () => {
  for (const spec of SETTINGS_TABLE) {
    const settings = new Settings(HOST);
    const text = settings.text(spec.name);
    const words = spec.kind.type === "outputBufferLimits" ||
        spec.kind.type === "addresses" || spec.kind.type === "percentiles"
      ? text.split(" ")
      : [text];
    const origin = { line: 1, text: spec.name };
    const { error } = settings.load([{ name: spec.name, words, origin }]);
    assertEquals(error, undefined, spec.name);
    assertEquals(settings.text(spec.name), text);
  }
});

Deno.test("names and aliases in the table are unique", () => {
  const names = SETTINGS_TABLE.flatMap((row) => [
    row.name,
    ...row.aliases ?? [],
  ]);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("every row of several values has a field of its kind", () => {
  const unread = new Set(["appendfsync", "appendfilename", "appenddirname"]);
  const settings = new Settings(HOST) as unknown as Record<string, unknown>;
  for (const { name, only } of SETTINGS_TABLE) {
    const field = name.replace(/-(.)/g, (_, c: string) => c.toUpperCase());
    if (/^(auto-aof|rdb|stop-writes)/.test(name) || unread.has(name)) continue;
    assertEquals(Object.hasOwn(settings, field), only === undefined, name);
  }
});

Deno.test("enums in fields are named by their constants", () => {
  const settings = new Settings(HOST);
  for (const [name, index] of Object.entries(MAXMEMORY_POLICY)) {
    const text = name.toLowerCase().replaceAll("_", "-");
    assertEquals(set(settings, "maxmemory-policy", text), "OK");
    assertEquals(settings.maxmemoryPolicy, index);
  }
  for (const [name, index] of Object.entries(LOG_LEVEL)) {
    assertEquals(set(settings, "loglevel", name), "OK");
    assertEquals(settings.loglevel, index);
  }
});

const LONG_MAX = "9223372036854775807";
const FAILED = "ERR CONFIG SET failed (possibly related to argument ";
const REFUSED: [name: string, value: string, reason: string][] = [
  ["maxmemory", "abc", "argument must be a memory value"],
  ["maxmemory", "-1", "argument must be a memory value"],
  ["hz", "abc", "argument couldn't be parsed into an integer"],
  ["hz", " 5", "argument couldn't be parsed into an integer"],
  ["hz", "05", "argument couldn't be parsed into an integer"],
  ["hz", "-0", "argument couldn't be parsed into an integer"],
  ["timeout", "-1", "argument must be between 0 and 2147483647 inclusive"],
  ["timeout", "1" + LONG_MAX, "argument couldn't be parsed into an integer"],
  ["maxclients", "0", "argument must be between 1 and 4294967295 inclusive"],
  [
    "active-expire-effort",
    "11",
    "argument must be between 1 and 10 inclusive",
  ],
  [
    "slowlog-log-slower-than",
    "-2",
    `argument must be between -1 and ${LONG_MAX} inclusive`,
  ],
  [
    "proto-max-bulk-len",
    "1",
    `argument must be between 1048576 and ${LONG_MAX} inclusive`,
  ],
  [
    "maxmemory-policy",
    "foo",
    "argument(s) must be one of the following: volatile-lru, volatile-lfu, " +
    "volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, " +
    "allkeys-random, noeviction",
  ],
  ["protected-mode", "maybe", "argument must be 'yes' or 'no'"],
  ["appendonly", "maybe", "argument must be 'yes' or 'no'"],
  ["tls-port", "6380", "only '0' is accepted: there is no TLS yet"],
  ["save", "900", "Invalid save parameters"],
  ["save", "0 1", "Invalid save parameters"],
  [
    "notify-keyspace-events",
    "KEq",
    "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
  ],
  [
    "maxmemory-clients",
    "101%",
    "percentage argument must be less or equal to 100",
  ],
  ["maxmemory-clients", "abc", "argument must be a memory or percent value"],
  ["databases", "3", "can't set immutable config"],
  ["DIR", "/tmp", "can't set protected config"],
  [
    "list-max-ziplist-size",
    "abc",
    "argument couldn't be parsed into an integer",
  ],
  [
    "latency-tracking-info-percentiles",
    "50  99",
    "Invalid latency-tracking-info-percentiles parameters",
  ],
  [
    "latency-tracking-info-percentiles",
    "101",
    "latency-tracking-info-percentiles parameters should sit between " +
    "[0.0,100.0]",
  ],
  [
    "client-output-buffer-limit",
    "normal 1 2",
    "Wrong number of arguments in buffer limit configuration.",
  ],
  [
    "client-output-buffer-limit",
    "master 1 2 3",
    "Invalid client class specified in buffer limit configuration.",
  ],
  [
    "client-output-buffer-limit",
    "normal 1 2 -1",
    "Error in hard, soft or soft_seconds setting in buffer limit " +
    "configuration.",
  ],
];

Deno.test("CONFIG SET refuses a value with Redis's words", () => {
  for (const [name, value, reason] of REFUSED) {
    const settings = new Settings(HOST);
    const before = settings.snapshot();
    assertEquals(
      set(settings, name, value),
      `${FAILED}'${name.toLowerCase()}') - ${reason}`,
    );
    assertEquals(settings.snapshot(), before);
  }
});

const ACCEPTED: [name: string, value: string, printed: string][] = [
  ["maxmemory", "100MB", "104857600"],
  ["maxmemory", "18446744073709551615", "18446744073709551615"],
  ["hash-max-listpack-entries", LONG_MAX, LONG_MAX],
  ["HZ", "0", "1"],
  ["hz", "1000", "500"],
  ["protected-mode", "NO", "no"],
  ["loglevel", "DEBUG", "debug"],
  ["maxmemory-clients", "20%", "20%"],
  ["maxmemory-clients", "0%", "0"],
  ["maxmemory-clients", "1g", "1000000000"],
  ["latency-tracking-info-percentiles", "", ""],
  [
    "latency-tracking-info-percentiles",
    "0.00001 33.33333333333 1e1",
    "0.00001 33.333333 10",
  ],
  ["hash-max-ziplist-value", "1kb", "1024"],
  ["save", "", ""],
  ["appendonly", "No", "no"],
];

Deno.test("CONFIG GET prints values as Redis does", () => {
  for (const [name, value, printed] of ACCEPTED) {
    const settings = new Settings(HOST);
    assertEquals(set(settings, name, value), "OK");
    assertEquals(settings.get([name], startsAs), [
      [name.toLowerCase(), printed],
    ]);
  }
});

Deno.test("CONFIG GET prints each match once, aliases included", () => {
  const settings = new Settings(HOST);
  assertEquals(settings.get(["HZ", "hz", "nope", "H*"], startsAs), [
    ["hz", "10"],
    ["hash-max-listpack-entries", "512"],
    ["hash-max-ziplist-entries", "512"],
    ["hash-max-listpack-value", "64"],
    ["hash-max-ziplist-value", "64"],
    ["hll-sparse-max-bytes", "3000"],
  ]);
});

Deno.test("CONFIG SET judges all names before any value", () => {
  const settings = new Settings(HOST);
  const unknown = "ERR Unknown option or number of arguments for CONFIG SET";
  assertEquals(set(settings, "hz", "abc", "FOO", "1"), `${unknown} - 'FOO'`);
  assertEquals(
    set(settings, "hz", "1", "HZ", "2", "foo", "1"),
    FAILED + "'hz') - duplicate parameter",
  );
  assertEquals(
    set(settings, "databases", "1", "databases", "2"),
    FAILED + "'databases') - can't set immutable config",
  );
  assertEquals(set(settings, "replicaof", "a b"), `${unknown} - 'replicaof'`);
});

Deno.test("CONFIG SET changes all or nothing", () => {
  const settings = new Settings(HOST);
  assertEquals(
    set(settings, "hz", "20", "maxmemory", "xx"),
    FAILED + "'maxmemory') - argument must be a memory value",
  );
  assertEquals(settings.hz, 10);
  assertEquals(set(settings, "hz", "20", "maxmemory", "1gb"), "OK");
  assertEquals([settings.hz, settings.maxmemory], [20, 2 ** 30]);
});

Deno.test("an alias and its name are not duplicates, the later one wins", () => {
  const settings = new Settings(HOST);
  assertEquals(
    set(
      settings,
      "hash-max-ziplist-entries",
      "5",
      "hash-max-listpack-entries",
      "6",
    ),
    "OK",
  );
  assertEquals(settings.hashMaxListpackEntries, 6);
});

Deno.test("client-output-buffer-limit changes only the classes named", () => {
  const settings = new Settings(HOST);
  const name = "client-output-buffer-limit";
  assertEquals(set(settings, name, "replica 1kb 2 3"), "OK");
  assertEquals(
    settings.text(name),
    "normal 0 0 0 slave 1024 2 3 pubsub 33554432 8388608 60",
  );
  assertEquals(set(settings, name, ""), "OK");
  assertEquals(settings.clientOutputBufferLimit.replica, {
    hardBytes: 1024,
    softBytes: 2,
    softSeconds: 3,
  });
});

Deno.test("maxmemory-clients in percent follows maxmemory", () => {
  const settings = new Settings(HOST);
  set(settings, "maxmemory-clients", "10%", "maxmemory", "1000");
  assertEquals(settings.maxmemoryClients, 100);
  set(settings, "maxmemory", "2000");
  assertEquals(settings.maxmemoryClients, 200);
});

Deno.test("protected settings change with permission", () => {
  const pairs = [["dbfilename", "x.rdb"]] as const;
  const yes = loaded("enable-protected-configs yes");
  assertEquals(yes.set(pairs), undefined);
  assertEquals(yes.dbfilename, "x.rdb");
  const local = loaded("enable-protected-configs local");
  assert(local.set(pairs)?.text.endsWith("can't set protected config"));
  assertEquals(local.set(pairs, true), undefined);
  assertEquals(
    set(yes, "dbfilename", "a/b"),
    FAILED + "'dbfilename') - dbfilename can't be a path, just a filename",
  );
});

Deno.test("a guard can veto a value and with it the whole change", () => {
  const settings = new Settings(HOST);
  settings.guard("maxclients", (text) => text === "7" ? "too many" : undefined);
  assertEquals(
    set(settings, "hz", "20", "maxclients", "7"),
    FAILED + "'maxclients') - too many",
  );
  assertEquals([settings.hz, settings.maxclients], [10, 10000]);
  assertEquals(set(settings, "maxclients", "8"), "OK");
});

Deno.test("listeners hear once of what differs, fields being new", () => {
  const settings = new Settings(HOST);
  const heard: [string[], number][] = [];
  settings.onChange((names) => heard.push([[...names], settings.hz]));
  set(settings, "hz", "10");
  assertEquals(heard, []);
  set(settings, "hz", "20", "timeout", "0", "lua-time-limit", "1");
  assertEquals(heard, [[["hz", "busy-reply-threshold"], 20]]);
});

Deno.test("a snapshot makes another worker's settings equal", () => {
  const settings = loaded('requirepass "\\xff\\x00x"\nmaxmemory 1gb');
  const copy = new Settings({ cores: 1, dir: "/" });
  const heard: string[] = [];
  copy.onChange((names) => heard.push(...names));
  copy.applySnapshot(structuredClone(settings.snapshot()));
  assertEquals(copy.snapshot(), settings.snapshot());
  assertEquals(copy.maxmemory, 2 ** 30);
  assertEquals(copy.requirepass, new Uint8Array([0xff, 0, 120]));
  assertEquals(heard.toSorted(), [
    "dir",
    "maxmemory",
    "requirepass",
    "workers",
  ]);
});

Deno.test("load() names the first line that cannot be used", () => {
  const cases: [line: string, reason: string][] = [
    ["foo bar", "Bad directive or wrong number of arguments"],
    ["hz", "wrong number of arguments"],
    ["hz 10 11", "wrong number of arguments"],
    ["bind", "wrong number of arguments"],
    ["unixsocketperm 8", "argument couldn't be parsed as an octal number"],
    ["unixsocketperm 7777", "argument must be between 0 and 777 inclusive"],
    ["databases 0", "argument must be between 1 and 2147483647 inclusive"],
    ["replicaof host 1", "there is no replication yet"],
    [
      "daemonize yes",
      "only 'no' is accepted: start it in the background with a service " +
      "manager",
    ],
    [
      "bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
      "Too many bind addresses specified.",
    ],
  ];
  for (const [line, reason] of cases) {
    const settings = new Settings(HOST);
    const { directives } = parseConfig(`hz 5\n${line}\n`, "f");
    const { error } = settings.load(directives!);
    assertEquals(error?.reason, reason);
    assertEquals(error?.origin.line, 2);
    assertEquals(settings.hz, 10);
  }
});

Deno.test("load() takes the later word and passes over Redis's own lines", () => {
  const settings = new Settings(HOST);
  const { directives } = parseConfig(
    "hz 5\ndisable-thp yes\nHZ 6\nunixsocketperm 0700\nsave ''\n" +
      "client-output-buffer-limit pubsub 1mb 1mb 60\n" +
      "dir /d\xc3\xa9p\xc3\xb4t\n",
    "f",
  );
  const { error, ignored } = settings.load(directives!);
  assertEquals(error, undefined);
  assertEquals(ignored.map((one) => one.name), ["disable-thp"]);
  assertEquals(settings.hz, 6);
  assertEquals(settings.unixsocketperm, 0o700);
  assertEquals(settings.clientOutputBufferLimit.pubsub.hardBytes, 1 << 20);
  assertEquals(settings.dir, "/dépôt");
});

Deno.test("a rewritten file, loaded again, means the same", () => {
  const settings = loaded("port 7000\nbind ''\nhz 10\n");
  set(
    settings,
    "requirepass",
    bytesToText(Uint8Array.from({ length: 256 }, (_, i) => i)),
    "maxmemory",
    "3gb",
    "maxmemory-clients",
    "5%",
    "latency-tracking-info-percentiles",
    "",
    "client-output-buffer-limit",
    "normal 1 2 3 pubsub 1mb 0 0",
  );
  const again = loaded(settings.rewrite("port 7000\n"));
  assertEquals(again.snapshot(), settings.snapshot());
  const content = again.rewrite(settings.rewrite(""));
  assertStrictEquals(again.rewrite(content), content);
});

Deno.test("a value of several words may be quoted as a whole", () => {
  const settings = loaded(
    'save "3600 1 60 1000"\nsave "10 2"\nbind "127.0.0.1 -::1"\n' +
      'client-output-buffer-limit "normal 1mb 2 3"\nrequirepass "a b"\n',
  );
  assertEquals(settings.save, "3600 1 60 1000 10 2");
  assertEquals(settings.bind, ["127.0.0.1", "-::1"]);
  assertEquals(
    settings.text("client-output-buffer-limit").slice(0, 18),
    "normal 1048576 2 3",
  );
  assertEquals(settings.text("requirepass"), "a b");
});
