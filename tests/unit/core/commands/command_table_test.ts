import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CATEGORIES,
  type CommandSpec,
  FLAG,
  keyAt,
} from "../../../../src/core/commands/command_spec.ts";
import {
  CommandTable,
  KEY_KIND,
} from "../../../../src/core/commands/command_table.ts";
import { type NoCall, ROWS, TABLE } from "./_table.ts";

const encoder = new TextEncoder();

function lookup(name: string): string | undefined {
  const bytes = encoder.encode(`??${name}??`);
  return TABLE.lookup(bytes, 2, bytes.length - 4)?.fullName;
}

function lookupSubcommand(container: string, name: string): string | undefined {
  const bytes = encoder.encode(`?${name}`);
  const command = TABLE.byName(container)!;
  return command.lookupSubcommand(bytes, 1, bytes.length - 1)?.fullName;
}

Deno.test("CommandTable.lookup() finds every command in any case", () => {
  for (const command of TABLE.commands) {
    const { name } = command.spec;
    assertEquals(lookup(name), name);
    assertEquals(lookup(name.toUpperCase()), name);
    assertEquals(lookup(name[0]!.toUpperCase() + name.slice(1)), name);
    assertEquals(lookup(name + "x"), undefined);
  }
});

Deno.test("CommandTable.lookup() finds nothing else", () => {
  const names = [
    "",
    "g",
    "gett",
    "encoding",
    "object|encoding",
    "x".repeat(999),
  ];
  // Bytes that differ from a letter or "_" by bit 5 alone.
  names.push("g\u0005t", "sort\u007fro", "set ");
  for (const name of names) assertEquals(lookup(name), undefined, name);
});

Deno.test("Command.lookupSubcommand() finds a container's own", () => {
  assertEquals(lookupSubcommand("object", "Encoding"), "object|encoding");
  assertEquals(lookupSubcommand("object", "docs"), undefined);
  assertEquals(lookupSubcommand("object", ""), undefined);
  assertEquals(lookupSubcommand("get", "encoding"), undefined);
});

Deno.test("CommandTable.byName() takes full names", () => {
  assertEquals(TABLE.byName("GET")?.fullName, "get");
  assertEquals(TABLE.byName("Object|Freq")?.fullName, "object|freq");
  assertEquals(TABLE.byName("object|zork"), undefined);
});

Deno.test("Command.index is dense over commands and subcommands", () => {
  assertEquals(TABLE.all.map((c) => c.index), TABLE.all.map((_, i) => i));
  assert(TABLE.all.length > TABLE.commands.length);
  const object = TABLE.byName("object")!;
  for (const sub of object.subcommands) {
    assertEquals(sub.container, object);
    assertEquals(sub.group, "generic");
  }
});

Deno.test("Command.allowsCount() follows the arity", () => {
  const rows: [name: string, argc: number, allowed: boolean][] = [
    ["get", 1, false],
    ["get", 2, true],
    ["get", 3, false],
    ["set", 2, false],
    ["set", 3, true],
    ["set", 9, true],
  ];
  for (const [name, argc, allowed] of rows) {
    assertEquals(TABLE.byName(name)!.allowsCount(argc), allowed);
  }
});

Deno.test("Command.keyKind tells the short ways from the long one", () => {
  const rows: [name: string, kind: number][] = [
    ["ping", KEY_KIND.NONE],
    ["spublish", KEY_KIND.NONE],
    ["get", KEY_KIND.SINGLE],
    ["set", KEY_KIND.SINGLE],
    ["mset", KEY_KIND.RANGE],
    ["rename", KEY_KIND.RANGE],
    ["object|encoding", KEY_KIND.RANGE],
    ["sort", KEY_KIND.COMPUTED],
    ["eval", KEY_KIND.COMPUTED],
  ];
  for (const [name, kind] of rows) {
    assertEquals(TABLE.byName(name)!.keyKind, kind, name);
  }
});

Deno.test("Command derives flags and categories", () => {
  const categories = (name: string) =>
    CATEGORIES.filter((_, i) => TABLE.byName(name)!.categories & (1 << i));
  assertEquals(categories("get"), ["read", "string", "fast"]);
  assertEquals(categories("object"), ["slow"]);
  assertEquals(categories("object|help"), ["keyspace", "slow"]);
  assertEquals(categories("command"), ["slow", "connection"]);
  assertEquals(TABLE.byName("sort")!.flags & FLAG.MOVABLEKEYS, 1 << 17);
  assertEquals(TABLE.byName("get")!.flags, FLAG.READONLY | FLAG.FAST);
});

Deno.test("CommandTable refuses rows that contradict themselves", () => {
  const good: CommandSpec<NoCall> = {
    name: "good",
    group: "generic",
    since: "1.0.0",
    summary: "Does nothing.",
    arity: 2,
    run: () => {},
  };
  const { run: _run, ...idle } = good;
  const { group: _group, ...homeless } = good;
  const rows: [row: CommandSpec<NoCall>, why: string][] = [
    [{ ...good, name: "Bad" }, "malformed name"],
    [{ ...good, since: "1" }, "malformed version"],
    [{ ...good, arity: 0 }, "arity counts the name"],
    [{ ...good, flags: ["write", "readonly"] }, "both write and readonly"],
    [{ ...good, keys: [keyAt(3, "RO")] }, "begins behind the arguments"],
    [{ ...good, keys: [keyAt(1, "OW")] }, "is not a write command"],
    [idle, "has neither a function nor subcommands"],
    [homeless, "name their group"],
    [{ ...good, subcommands: [good] }, "name their group"],
    [{ ...good, subcommands: [homeless, homeless] }, "the name is taken"],
  ];
  new CommandTable([good]);
  for (const [row, why] of rows) {
    assertThrows(() => new CommandTable([row]), Error, why);
  }
  assertThrows(() => new CommandTable(ROWS, ROWS), Error, "the name is taken");
});
