/**
 * Sends one script to two servers and finds the first reply that differs.
 *
 * Each run begins with new connections and FLUSHALL, so nothing of an earlier
 * script shows, and a script can be run again with commands left out. Commands
 * travel as one pipeline with a marker at its end: what comes before the
 * marker's reply is what the script brought, however many replies that is
 * (CLIENT REPLY suppresses some). A SCAN, HSCAN, SSCAN or ZSCAN is followed to
 * its end in between, and the sets of what it found are compared, as cursors and
 * order are the server's own.
 *
 * @module
 */
import {
  ConnectionClosedError,
  type Frame,
  type Plain,
  plain,
  ReplyError,
  ReplyTimeoutError,
  show,
  type TestClient,
} from "../_resp_client.ts";
import { ReplyTypeError } from "../_reply_types.ts";
import { isSame } from "./_compare.ts";
import type { Step } from "./_generate.ts";
import type { ScriptLimits } from "./_limits.ts";

/** Anything that hands out connections. */
export interface Target {
  client(options: { resp: 2 | 3 }): Promise<TestClient>;
}

/** The first difference of a script's replies. */
export interface Mismatch {
  /** Place of the command in the script; its length if it came after all. */
  index: number;
  expected: string;
  actual: string;
}

/** What one server made of a part of a script. */
interface Outcome {
  frames: Frame[];
  /** Why no more frames came, empty if the marker's reply did. */
  end: string;
}

const MARKER = "marker \x01 end of script";
const SCAN_CALLS_MAX = 10_000;

/** Runs the script on both; null if all replies are the same. */
export async function runScript(
  script: readonly Step[],
  resp: 2 | 3,
  reference: Target,
  subject: Target,
  limits?: ScriptLimits,
): Promise<Mismatch | null> {
  // Some commands wait ten seconds: on neither server is their reply waited for.
  using expected = await reference.client({ resp });
  using actual = await subject.client({ resp });
  await Promise.all([
    prepare(expected, limits?.reference),
    prepare(actual, limits?.subject),
  ]);
  // A HELLO whose reply is suppressed would change the protocol unseen.
  const noticing = script.some(isClientReply) ? null : actual;
  for (let from = 0; from < script.length;) {
    const isScan = script[from]!.scan === true;
    let to = from + 1;
    while (!isScan && to < script.length && !script[to]!.scan) to++;
    const part = script.slice(from, to);
    const run = isScan ? runScan : runPipeline;
    const mismatch = compare(
      part,
      noticing,
      ...await Promise.all([run(expected, part), run(actual, part)]),
    );
    if (mismatch !== null) {
      return { ...mismatch, index: from + mismatch.index };
    }
    from = to;
  }
  return null;
}

/** Empties a server and sets its limits of packed values. */
export async function prepare(
  client: TestClient,
  limits: readonly string[] = [],
): Promise<void> {
  const commands = [["FLUSHALL"]];
  if (limits.length > 0) commands.push(["CONFIG", "SET", ...limits]);
  for (const reply of await client.pipeline(commands)) {
    if (reply.type === "error") throw new ReplyError(reply.value);
  }
}

/** A command as one would type it. */
export function showStep(step: Step): string {
  const [name, ...args] = step.argv;
  return [name, ...args.map((argument) => show(argument, 80))].join(" ") +
    (step.scan ? "   (followed to cursor 0)" : "");
}

function compare(
  part: readonly Step[],
  noticing: TestClient | null,
  expected: Outcome,
  actual: Outcome,
): Mismatch | null {
  const owners = repliesExpected(part);
  const count = Math.max(expected.frames.length, actual.frames.length);
  for (let i = 0; i < count; i++) {
    const [want, got] = [expected.frames[i], actual.frames[i]];
    const index = owners[i] ?? part.length;
    if (want && got && isSame(want, got, part[index]?.check)) {
      const problem = noticing?.notice(part[index]?.argv ?? [], got.reply);
      if (problem === null || problem === undefined) continue;
      return { index, expected: show(want.raw), actual: problem };
    }
    return {
      index,
      expected: want ? show(want.raw) : expected.end,
      actual: got ? show(got.raw) : actual.end,
    };
  }
  if (expected.end === actual.end) return null;
  return {
    index: owners[count] ?? part.length,
    expected: expected.end || "(end of script)",
    actual: actual.end || "(end of script)",
  };
}

export async function runPipeline(
  client: TestClient,
  part: readonly Step[],
): Promise<Outcome> {
  const frames: Frame[] = [];
  const commands = part.map((step) => step.argv);
  if (part.some(isClientReply)) commands.push(["CLIENT", "REPLY", "ON"]);
  // The marker must be answered and not queued.
  if (part.some((step) => /^multi$/i.test(step.argv[0]!))) {
    commands.push(["DISCARD"]);
  }
  const sending = client.sendCommands([...commands, ["ECHO", MARKER]]);
  sending.catch(() => {});
  try {
    for (;;) {
      const frame = await client.readFrame();
      if (plain(frame.reply) === MARKER) break;
      frames.push(frame);
    }
    await sending;
    return { frames, end: "" };
  } catch (error) {
    return { frames, end: whyNoMore(error) };
  }
}

export async function runScan(
  client: TestClient,
  part: readonly Step[],
): Promise<Outcome> {
  const { argv } = part[0]!;
  const name = argv[0]!.toUpperCase();
  const cursorAt = name === "SCAN" ? 1 : 2;
  const found = new Set<string>();
  let cursor = "0";
  try {
    for (let calls = 0; calls < SCAN_CALLS_MAX; calls++) {
      const [frame] = await client.pipelineFrames([
        calls === 0 ? argv : argv.with(cursorAt, cursor),
      ]);
      const reply = plain(frame!.reply);
      if (!Array.isArray(reply) || !Array.isArray(reply[1])) {
        return { frames: [frame!], end: "" };
      }
      for (const item of scanned(name, reply[1])) found.add(item);
      cursor = String(reply[0]);
      if (cursor === "0") {
        return {
          frames: [],
          end: [...found].map((k) => show(k)).sort().join(),
        };
      }
    }
    return { frames: [], end: `no cursor 0 in ${SCAN_CALLS_MAX} calls` };
  } catch (error) {
    return { frames: [], end: whyNoMore(error) };
  }
}

/** What one call of a scan found: keys, members, or pairs joined. */
function scanned(name: string, items: readonly Plain[]): string[] {
  const texts = items.map(String);
  if (name === "ZSCAN") {
    // Scores may be written in several ways.
    for (let i = 1; i < texts.length; i += 2) {
      texts[i] = String(Number(texts[i]!.replace("inf", "Infinity")));
    }
  } else if (name !== "HSCAN") return texts;
  const pairs: string[] = [];
  for (let i = 0; i < texts.length; i += 2) {
    pairs.push(`${texts[i]} \x01 ${texts[i + 1]}`);
  }
  return pairs;
}

function whyNoMore(error: unknown): string {
  if (error instanceof ConnectionClosedError) return "(connection closed)";
  if (error instanceof ReplyTimeoutError) return "(no reply)";
  if (error instanceof Deno.errors.BrokenPipe) return "(connection closed)";
  if (error instanceof ReplyTypeError) return error.message;
  throw error;
}

function isClientReply(step: Step): boolean {
  const [name, sub] = step.argv;
  return step.argv.length === 3 && name?.toUpperCase() === "CLIENT" &&
    sub?.toUpperCase() === "REPLY";
}

/** For each reply in order, the place of the command that it answers. */
function repliesExpected(part: readonly Step[]): number[] {
  const places: number[] = [];
  let isOff = false;
  let isSkipped = false; // the command at hand, because of the one before
  part.forEach((step, place) => {
    const mode = isClientReply(step) ? step.argv[2]!.toUpperCase() : "";
    const wasSkipped = isSkipped;
    isSkipped = false;
    if (mode === "ON") isOff = false;
    else if (mode === "OFF") isOff = true;
    else if (mode === "SKIP") isSkipped = !isOff;
    else if (step.argv.length === 1 && /^reset$/i.test(step.argv[0]!)) {
      isOff = false;
    }
    const isSilent = mode === "OFF" || mode === "SKIP" || isOff;
    if (mode === "ON" || (!isSilent && !wasSkipped)) places.push(place);
  });
  return places;
}
