import { assertEquals } from "@std/assert";
import {
  replyCommand,
  replyCommandCount,
  replyCommandDocs,
  replyCommandHelp,
  replyCommandInfo,
  replyCommandKeys,
  replyCommandList,
} from "../../../../src/core/commands/command_commands.ts";
import { replyOf, request } from "./_request.ts";
import { TABLE } from "./_table.ts";

/** A reply without the lengths of bulk strings and with spaces as line ends. */
function brief(reply: string): string {
  return reply.replace(/\$\d+\r\n/g, "").replaceAll("\r\n", " ").trim();
}

function info(resp: 2 | 3, ...names: string[]): string {
  const args = request("command", "info", ...names);
  return brief(replyOf(resp, (w) => replyCommandInfo(TABLE, args, w)));
}

function docs(resp: 2 | 3, ...names: string[]): string {
  const args = request("command", "docs", ...names);
  return brief(replyOf(resp, (w) => replyCommandDocs(TABLE, args, w)));
}

function list(...filter: string[]): string {
  const args = request("command", "list", ...filter);
  const matches = (pattern: string, name: string) =>
    name.startsWith(pattern.replace("*", "").toLowerCase());
  return brief(replyOf(2, (w) => replyCommandList(TABLE, args, w, matches)));
}

function keys(...line: string[]): string {
  const args = request("command", "getkeys", ...line);
  return brief(replyOf(2, (w) => replyCommandKeys(TABLE, args, w, false)));
}

Deno.test("COMMAND INFO GET has the bytes of redis-server", () => {
  assertEquals(
    info(2, "GET"),
    "*1 *10 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 " +
      "*1 *6 flags *2 +RO +access begin_search *4 type index spec *2 index :1 " +
      "find_keys *4 type range spec *6 lastkey :0 keystep :1 limit :0 *0",
  );
  assertEquals(
    info(3, "get"),
    "*1 *10 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 " +
      "~1 %3 flags ~2 +RO +access begin_search %2 type index spec %1 index :1 " +
      "find_keys %2 type range spec %3 lastkey :0 keystep :1 limit :0 ~0",
  );
});

Deno.test("COMMAND INFO shows keywords, key numbers and unknown places", () => {
  const rows: [name: string, part: string][] = [
    ["xread", "type keyword spec %2 keyword STREAMS startfrom :1"],
    ["eval", "type keynum spec %3 keynumidx :0 firstkey :1 keystep :1"],
    ["sort", "begin_search %2 type unknown spec %0 find_keys %2 type unknown"],
  ];
  for (const [name, part] of rows) {
    assertEquals(info(3, name).includes(part), true, name);
  }
});

Deno.test("COMMAND INFO takes subcommands, and null stands for the rest", () => {
  assertEquals(
    info(2, "zork", "object|help", "object|zork"),
    "*3 $-1 *10 object|help :2 *2 +loading +stale :0 :0 :0 *2 +@keyspace " +
      "+@slow *0 *0 *0 $-1",
  );
  assertEquals(info(3, "zork"), "*1 _");
});

Deno.test("COMMAND and COMMAND INFO without names list all commands", () => {
  const all = replyOf(2, (writer) => replyCommand(TABLE, writer));
  assertEquals(all.startsWith(`*${TABLE.commands.length}\r\n*10\r\n`), true);
  assertEquals(info(2), brief(all));
  assertEquals(
    replyOf(2, (writer) => replyCommandCount(TABLE, writer)),
    `:${TABLE.commands.length}\r\n`,
  );
});

Deno.test("COMMAND DOCS documents arguments, deprecation and subcommands", () => {
  assertEquals(
    docs(3, "getset", "zork"),
    "%1 getset %8 summary Sets a key to a string and returns the string it " +
      "replaced. since 1.0.0 group string complexity O(1) doc_flags ~1 " +
      "+deprecated deprecated_since 6.2.0 replaced_by `SET` with the `!GET` " +
      "argument arguments *2 %4 name key type key display_text key " +
      "key_spec_index :0 %3 name value type string display_text value",
  );
  assertEquals(
    docs(2, "command|list"),
    "*2 command|list *10 summary Names the commands, all or those that pass a " +
      "filter. since 7.0.0 group server complexity O(N) " +
      "arguments *1 *10 name filterby type oneof token " +
      "FILTERBY flags *1 +optional arguments *3 " +
      "*8 name module-name type string display_text module-name token MODULE " +
      "*8 name category type string display_text category token ACLCAT " +
      "*8 name pattern type pattern display_text pattern token PATTERN",
  );
  assertEquals(
    docs(3, "object").startsWith(
      "%1 object %5 summary Commands about how values are stored. since 2.2.3 " +
        "group generic complexity Depends on subcommand. subcommands %5 " +
        "object|encoding %5 summary",
    ),
    true,
  );
});

Deno.test("COMMAND LIST filters by category and pattern", () => {
  assertEquals(list().startsWith(`*${TABLE.all.length} get set `), true);
  assertEquals(list("filterby", "aclcat", "Bitmap"), "*1 bitfield");
  assertEquals(list("FILTERBY", "ACLCAT", "zork"), "*0");
  assertEquals(list("FILTERBY", "MODULE", "zork"), "*0");
  assertEquals(list("FILTERBY", "PATTERN", "SORT*"), "*2 sort sort_ro");
  for (const bad of [["x"], ["FILTERBY", "MODULE"], ["FILTERBY", "X", "y"]]) {
    assertEquals(list(...bad), "-ERR syntax error");
  }
});

Deno.test("COMMAND GETKEYS answers as redis-server", () => {
  const rows: [line: string, reply: string][] = [
    ["mset a 1 b 2", "*2 a b"],
    ["object encoding a", "*1 a"],
    ["eval s 0", "*0"],
    ["eval s zork", "*0"],
    ["get", "-ERR Invalid number of arguments specified for command"],
    ["get a b", "-ERR Invalid number of arguments specified for command"],
    ["sintercard 3 a", "-ERR Invalid arguments specified for command"],
    ["ping a", "-ERR The command has no key arguments"],
    ["spublish a b", "-ERR The command has no key arguments"],
    ["object", "-ERR The command has no key arguments"],
    ["zork a", "-ERR Invalid command specified"],
    ["object zork a", "-ERR Invalid command specified"],
    ["object|encoding a", "-ERR Invalid command specified"],
  ];
  for (const [line, reply] of rows) {
    assertEquals(keys(...line.split(" ")), reply, line);
  }
});

Deno.test("COMMAND GETKEYSANDFLAGS adds what is done to each key", () => {
  const args = request("command", "getkeysandflags", "rename", "a", "b");
  assertEquals(
    brief(replyOf(3, (w) => replyCommandKeys(TABLE, args, w, true))),
    "*2 *2 a ~3 +RW +access +delete *2 b ~2 +OW +update",
  );
});

Deno.test("COMMAND HELP ends in HELP", () => {
  const lines = replyOf(2, replyCommandHelp).split("\r\n");
  assertEquals(lines[0], "*21");
  assertEquals(lines.slice(-3), ["+HELP", "+    Prints this help.", ""]);
});
