import { assertEquals } from "@std/assert";
import {
  DEL,
  NOTIFY_KEYEVENT,
  NOTIFY_KEYSPACE,
  SET,
} from "../../../../src/core/keyspace/key_events.ts";
import { KeyNotifications } from "../../../../src/engine/pubsub/key_notifications.ts";
import { Tellings } from "../../../../src/engine/executor/tellings.ts";

const BOTH = NOTIFY_KEYSPACE | NOTIFY_KEYEVENT;
const decoder = new TextDecoder();

/** Notifications, and what they have published. */
function fixture() {
  const notifications = new KeyNotifications(new Tellings());
  const messages: string[] = [];
  notifications.pubsub = {
    publish(_kind, channel, message, answer) {
      messages.push(`${decoder.decode(channel)} ${decoder.decode(message)}`);
      answer(0);
    },
  };
  return { notifications, messages };
}

function note(
  notifications: KeyNotifications,
  key: string,
  event = SET,
  hooks = BOTH,
  db = 0,
): void {
  const buf = new TextEncoder().encode(`<${key}>`);
  notifications.keyEvent(hooks, event, db, buf, 1, buf.length - 2);
}

Deno.test("events are published in their order, by key and by name", () => {
  const { notifications, messages } = fixture();
  note(notifications, "a");
  note(notifications, "b", DEL, NOTIFY_KEYSPACE, 15);
  note(notifications, "c", DEL, NOTIFY_KEYEVENT);
  note(notifications, "d", SET, 0);
  note(notifications, "");
  assertEquals(notifications.count, 5);
  assertEquals(messages, []);
  notifications.publish();
  assertEquals(notifications.count, 0);
  assertEquals(messages, [
    "__keyspace@0__:a set",
    "__keyevent@0__:set a",
    "__keyspace@15__:b del",
    "__keyevent@0__:del c",
    "__keyspace@0__: set",
    "__keyevent@0__:set ",
  ]);
  notifications.publish();
  assertEquals(messages.length, 6);
});

Deno.test("as many events are kept as a transaction has", () => {
  const { notifications, messages } = fixture();
  for (let round = 0; round < 3; round++) {
    const expected: string[] = [];
    for (let i = 0; i < 5000; i++) {
      const key = `${i}`.padStart(i % 40, "x");
      note(notifications, key, SET, NOTIFY_KEYSPACE);
      expected.push(`__keyspace@0__:${key} set`);
    }
    note(notifications, "k".repeat(100_000), SET, NOTIFY_KEYSPACE);
    expected.push(`__keyspace@0__:${"k".repeat(100_000)} set`);
    messages.length = 0;
    notifications.publish();
    assertEquals(messages, expected);
  }
});
