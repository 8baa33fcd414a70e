/**
 * Any commands through one pipelined connection, to fill a server with.
 *
 * @module
 */

const BATCH_CHARS = 256 * 1024;
const END_MARK = "everything was answered";

/**
 * Sends commands, given as lists of arguments of one byte per character, and
 * waits until all are answered; throws the first error reply.
 */
export async function sendCommands(
  port: number,
  commands: Iterable<readonly string[]>,
): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await Promise.all([writeAll(conn, commands), readAll(conn)]);
}

async function writeAll(
  conn: Deno.Conn,
  commands: Iterable<readonly string[]>,
): Promise<void> {
  let text = "";
  for (const argv of commands) {
    text += frame(argv);
    if (text.length < BATCH_CHARS) continue;
    await writeText(conn, text);
    text = "";
  }
  await writeText(conn, text + frame(["ECHO", END_MARK]));
}

function frame(argv: readonly string[]): string {
  let text = `*${argv.length}\r\n`;
  for (const arg of argv) text += `$${arg.length}\r\n${arg}\r\n`;
  return text;
}

async function writeText(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) {
    sent += await conn.write(bytes.subarray(sent));
  }
}

async function readAll(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  const decoder = new TextDecoder();
  let tail = "\r\n";
  for (;;) {
    const length = await conn.read(buffer);
    if (length === null) throw new Error("the server closed the connection");
    const text = tail + decoder.decode(buffer.subarray(0, length));
    const error = /\r\n-([^\r]*)\r\n/.exec(text);
    if (error !== null) throw new Error(`the server replied ${error[1]}`);
    if (text.endsWith(`${END_MARK}\r\n`)) return;
    tail = text.slice(-200);
  }
}
