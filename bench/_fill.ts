/**
 * Fills a server with a known set of keys, which redis-benchmark cannot do: its
 * random keys repeat, and leave out more than a third of the range.
 *
 * @module
 */

/** Which keys to make. */
export interface Filling {
  /** Keys are this and 12 digits. */
  prefix: string;
  /** Digits run from 0 to this, exclusive. */
  count: number;
  /** Whether values are 32 bytes, different for every key, or the number 0. */
  value: "bytes" | "zero";
}

const DIGITS = 12;
const BATCH_BYTES_MAX = 128 * 1024;
const OK_REPLY = new TextEncoder().encode("+OK\r\n");

/** Sets `count` distinct keys through one pipelined connection. */
export async function fillKeys(port: number, filling: Filling): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await Promise.all([
    writeAllCommands(conn, filling),
    readAllReplies(conn, filling.count),
  ]);
}

async function writeAllCommands(
  conn: Deno.Conn,
  { prefix, count, value }: Filling,
): Promise<void> {
  const hole = "#".repeat(DIGITS);
  const text = value === "bytes" ? "v".repeat(32 - DIGITS) + hole : "0";
  const template = `*3\r\n$3\r\nSET\r\n$${prefix.length + DIGITS}\r\n` +
    `${prefix}${hole}\r\n$${text.length}\r\n${text}\r\n`;
  const holes = [template.indexOf(hole)];
  if (value === "bytes") holes.push(template.lastIndexOf(hole));

  const command = new TextEncoder().encode(template);
  const perBatch = Math.floor(BATCH_BYTES_MAX / command.length);
  const batch = new Uint8Array(perBatch * command.length);
  for (let index = 0; index < count;) {
    const end = Math.min(index + perBatch, count);
    let length = 0;
    for (; index < end; index++) {
      for (const at of holes) writeDigits(command, at, index);
      batch.set(command, length);
      length += command.length;
    }
    for (let sent = 0; sent < length;) {
      sent += await conn.write(batch.subarray(sent, length));
    }
  }
}

async function readAllReplies(conn: Deno.Conn, count: number): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  const total = count * OK_REPLY.length;
  for (let position = 0; position < total;) {
    const length = await conn.read(buffer);
    if (length === null) {
      throw new Error("the server closed the connection while being filled");
    }
    for (let i = 0; i < length; i++, position++) {
      if (buffer[i] !== OK_REPLY[position % OK_REPLY.length]) {
        const rest = new TextDecoder().decode(buffer.subarray(i, length));
        throw new Error(`SET was answered ${rest.slice(0, 128)}`);
      }
    }
  }
}

function writeDigits(bytes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let i = at + DIGITS - 1; i >= at; i--) {
    const quotient = Math.floor(rest / 10);
    bytes[i] = 48 + rest - quotient * 10;
    rest = quotient;
  }
}
