import { assertEquals } from "@std/assert";
import {
  clientInfoInvalid,
  errorReply,
  expectedDollar,
  SYNTAX_ERROR,
  unknownCommand,
  unknownSubcommand,
  unsupportedOption,
  WRONG_TYPE,
} from "../../../../src/core/resp/error_reply.ts";

/** One byte per character, as argv holds them. */
function argv(...args: string[]): Uint8Array[] {
  return args.map((arg) => Uint8Array.from(arg, (char) => char.charCodeAt(0)));
}

function arg(text: string): Uint8Array {
  return argv(text)[0]!;
}

Deno.test("ErrorReply holds the bytes of the whole line", () => {
  assertEquals(
    new TextDecoder().decode(SYNTAX_ERROR.bytes),
    "-ERR syntax error\r\n",
  );
});

Deno.test("ErrorReply prefix is the first word", () => {
  assertEquals(WRONG_TYPE.prefix, "WRONGTYPE");
  assertEquals(errorReply("ALONE").prefix, "ALONE");
});

Deno.test("errorReply() keeps an error within its line", () => {
  assertEquals(errorReply("ERR a\r\nb\nc\r\n").text, "ERR a  b c");
});

Deno.test("unknownCommand() repeats name and arguments as Redis does", () => {
  const begin = (name: string, args: string) =>
    `ERR unknown command '${name}', with args beginning with: ${args}`;
  const rows: [string[], string][] = [
    [["foo"], begin("foo", "")],
    [["foo", "a", "b\r\nc"], begin("foo", "'a' 'b  c' ")],
    [["f\0o", "a\0b", ""], begin("f", "'a' '' ")],
    [["foo", "\xff\xfe"], begin("foo", "'\xff\xfe' ")],
    [["x".repeat(200), "a"], begin("x".repeat(128), "'a' ")],
    [["foo", "x".repeat(200), "b"], begin("foo", `'${"x".repeat(128)}' `)],
    [
      ["foo", "x".repeat(124), "abc"],
      begin("foo", `'${"x".repeat(124)}' 'a' `),
    ],
    [["foo", "x".repeat(125), "abc"], begin("foo", `'${"x".repeat(125)}' `)],
  ];
  for (const [request, expected] of rows) {
    assertEquals(unknownCommand(argv(...request)).text, expected);
  }
});

Deno.test("unknownSubcommand() names the container in upper case", () => {
  assertEquals(
    unknownSubcommand("client", arg("fo\0o")).text,
    "ERR unknown subcommand 'fo'. Try CLIENT HELP.",
  );
});

Deno.test("error texts repeat bytes, not characters", () => {
  assertEquals(expectedDollar(0xff).bytes.at(-4), 0xff);
  assertEquals(expectedDollar(0x0d).text.slice(-3), "' '");
  assertEquals(
    unsupportedOption(arg("ab\r\n")).text,
    "ERR Unsupported option ab",
  );
  assertEquals(
    clientInfoInvalid(arg("lib-name")).text,
    "ERR lib-name cannot contain spaces, newlines or special characters.",
  );
});
