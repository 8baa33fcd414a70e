/**
 * Scripts of commands with the replies they must get, one line each.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  type Argument,
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";

/** A command, as words with spaces between or one by one; and its reply. */
export type Exchange = readonly [string | readonly Argument[], Plain];

/** The reply without RESP types; errors as strings that begin with `-`. */
export async function ask(
  client: TestClient,
  command: string | readonly Argument[],
): Promise<Plain> {
  const argv = typeof command === "string" ? command.split(" ") : command;
  return withErrorTexts(plain(await client.run(...argv)));
}

function withErrorTexts(reply: Plain): Plain {
  if (reply instanceof ReplyError) return `-${reply.message}`;
  return Array.isArray(reply) ? reply.map(withErrorTexts) : reply;
}

/** Runs the commands in order and compares each reply. */
export async function expectReplies(
  client: TestClient,
  exchanges: readonly Exchange[],
): Promise<void> {
  for (const [command, expected] of exchanges) {
    assertEquals(await ask(client, command), expected, `${command}`);
  }
}
