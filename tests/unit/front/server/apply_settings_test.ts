import { assert, assertEquals } from "@std/assert";
import { Settings } from "../../../../src/core/settings/settings.ts";
import {
  type SettingsChange,
  SettingsExchange,
} from "../../../../src/front/server/apply_settings.ts";

const HOST = { cores: 1, dir: "/" };

function makeWorkers(): { settings: Settings; exchange: SettingsExchange }[] {
  const process = new Int32Array(new SharedArrayBuffer(256));
  return [0, 1].map(() => {
    const settings = new Settings(HOST);
    return { settings, exchange: new SettingsExchange(settings, process) };
  });
}

function set(
  exchange: SettingsExchange,
  ...pairs: [string, string][]
): SettingsChange {
  const outcome = exchange.set(pairs, false);
  assert("change" in outcome);
  return outcome.change;
}

Deno.test("SettingsExchange sends what differs, by the main name", () => {
  const [a, b] = makeWorkers();
  const change = set(
    a!.exchange,
    ["hz", "10"],
    ["hash-max-ziplist-entries", "7"],
  );
  assertEquals(change.texts, { "hash-max-listpack-entries": "7" });
  b!.exchange.apply(change);
  assertEquals(b!.settings.hashMaxListpackEntries, 7);
});

Deno.test("SettingsExchange refuses without a change", () => {
  const [a] = makeWorkers();
  const outcome = a!.exchange.set([["hz", "20"], ["timeout", "x"]], false);
  assert("error" in outcome);
  assertEquals(a!.settings.hz, 10);
});

Deno.test("SettingsExchange ends the same when changes cross", () => {
  const [a, b] = makeWorkers();
  const first = set(a!.exchange, ["hz", "20"], ["timeout", "1"]);
  const second = set(b!.exchange, ["hz", "30"]);
  a!.exchange.apply(second);
  b!.exchange.apply(first);
  for (const { settings } of [a!, b!]) {
    assertEquals(settings.hz, 30);
    assertEquals(settings.timeout, 1);
  }
});
