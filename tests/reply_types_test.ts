import { assertEquals } from "@std/assert";
import { makeCommandTable } from "../src/front/server/command_groups.ts";
import { replyTypeProblem } from "./_reply_types.ts";
import { fromBinary, ReplyParser } from "./_resp_reply.ts";

/** Whether a row allows a reply, given without the `\r\n` between its lines. */
function isAllowed(command: string, reply: string, resp: 2 | 3): boolean {
  const parser = new ReplyParser();
  parser.feed(fromBinary(`${reply.replaceAll(" ", "\r\n")}\r\n`));
  return replyTypeProblem(command.split(" "), parser.next()!.reply, resp) ===
    null;
}

Deno.test("replyTypeProblem() finds a reply that the row does not list", () => {
  const rows: [
    command: string,
    reply: string,
    resp2: boolean,
    resp3: boolean,
  ][] = [
    ["GET k", "$1 v", true, true],
    ["get k", "$-1", true, false],
    ["GET k", "_", false, true],
    ["GET k", "+v", false, false],
    ["GET k", ":1", false, false],
    ["GET k", "-ERR_no", true, true],
    ["SET k v", "+OK", true, true],
    ["SET k v", "$2 OK", true, true], // an option asks for the old value
    ["SET k v", "*0", false, false],
    ["HGETALL k", "*0", true, false],
    ["HGETALL k", "%0", false, true],
    ["CLIENT ID", ":1", true, true],
    ["client id", "$1 1", false, false],
    ["CLIENT", ":1", false, false],
    ["GET k", "+QUEUED", true, true],
    ["GET k", ">1 +x", true, true],
    ["NOSUCH", ":1", true, true],
  ];
  for (const [command, reply, resp2, resp3] of rows) {
    assertEquals(isAllowed(command, reply, 2), resp2, `${command}: ${reply}`);
    assertEquals(isAllowed(command, reply, 3), resp3, `${command}: ${reply}`);
  }
});

Deno.test("every row of the table lists the types of its replies", () => {
  const silent = makeCommandTable().all
    .filter(({ spec }) => spec.run && (spec.replies ?? []).length === 0)
    .map((command) => command.fullName);
  assertEquals(silent, []);
});
