import { assertEquals, assertThrows } from "@std/assert";
import {
  type ArgumentSpec,
  parseSyntax,
} from "../../../../src/core/commands/command_syntax.ts";

/** What an argument has beyond being one required string without a token. */
function brief(arg: ArgumentSpec): Record<string, unknown> {
  const { name, type, ...rest } = arg;
  const shown: Record<string, unknown> = { [name]: type };
  for (const [key, value] of Object.entries(rest)) {
    if (value === false || key === "displayText" && value === name) continue;
    shown[key] = key === "arguments" ? arg.arguments!.map(brief) : value;
  }
  return shown;
}

const ROWS: [syntax: string, expected: Record<string, unknown>[]][] = [
  ["value", [{ value: "string" }]],
  ["pattern", [{ pattern: "pattern" }]],
  ["count:integer", [{ count: "integer" }]],
  ["EX seconds:integer", [{ seconds: "integer", token: "EX" }]],
  ["NX", [{ nx: "pure-token", token: "NX" }]],
  ["'km'", [{ km: "pure-token", token: "km" }]],
  ["'lib-name' libname", [{ libname: "string", token: "lib-name" }]],
  ["change=CH", [{ change: "pure-token", token: "CH" }]],
  ["equal==", [{ equal: "pure-token", token: "=" }]],
  ['empty=""', [{ empty: "pure-token", token: '""' }]],
  ["[value]", [{ value: "string", optional: true }]],
  ["value...", [{ value: "string", multiple: true }]],
  ["[BY x...]", [{ x: "string", token: "BY", multiple: true, optional: true }]],
  ["[BY x]...", [{
    x: "string",
    token: "BY",
    multiple: true,
    multipleToken: true,
    optional: true,
  }]],
  ["addr{ip:port}", [{ addr: "string", displayText: "ip:port" }]],
  ["x@6.2.0!7.0.0", [{
    x: "string",
    since: "6.2.0",
    deprecatedSince: "7.0.0",
  }]],
  ["data:(a b)...", [{
    data: "block",
    multiple: true,
    arguments: [{ a: "string" }, { b: "string" }],
  }]],
  ["LIMIT limit:(a)", [{
    limit: "block",
    token: "LIMIT",
    arguments: [{ a: "string" }],
  }]],
  ["order:(ASC|DESC)@2.0.0", [{
    order: "oneof",
    since: "2.0.0",
    arguments: [{ asc: "pure-token", token: "ASC" }, {
      desc: "pure-token",
      token: "DESC",
    }],
  }]],
  ["key1:key key2:key", [
    { key1: "key", keySpecIndex: 0 },
    { key2: "key", keySpecIndex: 1 },
  ]],
  ["key1:key key2:key#0 key3:key", [
    { key1: "key", keySpecIndex: 0 },
    { key2: "key", keySpecIndex: 0 },
    { key3: "key", keySpecIndex: 1 },
  ]],
  ["key pattern#1 destination:key#2", [
    { key: "key", keySpecIndex: 0 },
    { pattern: "pattern", keySpecIndex: 1 },
    { destination: "key", keySpecIndex: 2 },
  ]],
];

Deno.test("parseSyntax reads every form of the notation", () => {
  for (const [syntax, expected] of ROWS) {
    assertEquals(parseSyntax(syntax).map(brief), expected, syntax);
  }
});

Deno.test("parseSyntax says where a line is malformed", () => {
  const rows: [syntax: string, message: string][] = [
    ["", 'Cannot parse the syntax "" at 0: wanted a name'],
    ["key ", 'Cannot parse the syntax "key " at 4: wanted a name'],
    ["a:zork", 'Cannot parse the syntax "a:zork" at 6: wanted a type'],
    ["a:(b", 'Cannot parse the syntax "a:(b" at 4: wanted ")"'],
    ["[b", 'Cannot parse the syntax "[b" at 2: wanted "]"'],
    ["a)", 'Cannot parse the syntax "a)" at 1: wanted end of line'],
    ["a@x", 'Cannot parse the syntax "a@x" at 2: wanted a version'],
  ];
  for (const [syntax, message] of rows) {
    assertThrows(() => parseSyntax(syntax), Error, message);
  }
});
