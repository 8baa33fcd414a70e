/**
 * Sends one script to two servers and finds the first keyspace notification
 * that differs: a second connection listens to all of them, while the script
 * comes over one connection, so their order is that of the commands.
 *
 * @module
 */
import { plain, type TestClient } from "../_resp_client.ts";
import type { Step } from "./_generate.ts";
import type { ScriptLimits } from "./_limits.ts";
import {
  type Mismatch,
  prepare,
  runPipeline,
  runScan,
  type Target,
} from "./_run_script.ts";

const SETTING = "notify-keyspace-events";
const PATTERN = "__key*__:*";
const END = "__keyspace@0__:end of script";

/** The servers, and what is listened to. */
export interface EventsOptions {
  reference: Target;
  subject: Target;
  /** Classes of events, as letters. */
  classes: string;
  /** Names of events that do not count. */
  ignored: readonly string[];
  limits?: ScriptLimits | undefined;
}

/** Runs the script on both; null if all notifications are the same. */
export async function runEvents(
  script: readonly Step[],
  options: EventsOptions,
): Promise<Mismatch | null> {
  const { reference, subject, limits } = options;
  const [expected, actual] = await Promise.all([
    eventsOf(script, reference, options, limits?.reference),
    eventsOf(script, subject, options, limits?.subject),
  ]);
  for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
    if (expected[i] === actual[i]) continue;
    return {
      index: script.length,
      expected: near(expected, i),
      actual: near(actual, i),
    };
  }
  return null;
}

/** An event and those before it, which say where it is. */
function near(events: readonly string[], i: number): string {
  return `${events[i] ?? "(none)"}   after ` +
    events.slice(Math.max(0, i - 4), i).join(", ");
}

async function eventsOf(
  script: readonly Step[],
  server: Target,
  { classes, ignored }: EventsOptions,
  limits: readonly string[] = [],
): Promise<string[]> {
  using client = await server.client({ resp: 2 });
  using listener = await server.client({ resp: 2 });
  await prepare(client, [...limits, SETTING, classes]);
  await listener.run("PSUBSCRIBE", PATTERN);
  for (let from = 0; from < script.length;) {
    const isScan = script[from]!.scan === true;
    let to = from + 1;
    while (!isScan && to < script.length && !script[to]!.scan) to++;
    await (isScan ? runScan : runPipeline)(client, script.slice(from, to));
    from = to;
  }
  await sayEnd(client, server);
  const events: string[] = [];
  for (;;) {
    const frame = plain((await listener.readFrame()).reply);
    const [, , channel, message] = frame as string[];
    if (channel === END) break;
    // In the channels of keys the event is the message, else it is the channel.
    if (ignored.some((name) => name === message || channel!.endsWith(name))) {
      continue;
    }
    events.push(`${message} ${channel}`);
  }
  using last = await server.client({ resp: 2 });
  await last.run("CONFIG", "SET", SETTING, "");
  return events;
}

/** A script may have closed its connection. */
async function sayEnd(client: TestClient, server: Target): Promise<void> {
  try {
    const [reply] = await client.pipelineFrames([["PUBLISH", END, ""]]);
    if (reply!.reply.type === "int") return;
  } catch {
    // Another connection says it.
  }
  using other = await server.client({ resp: 2 });
  await other.run("PUBLISH", END, "");
}
