/**
 * Two ports that are connected, and deliver when the test says so.
 *
 * @module
 */

import type { Port } from "../../../../src/engine/messages/mesh.ts";

/** One end; counts what was sent. */
export class FakePort implements Port {
  onmessage: ((event: { readonly data: Uint8Array }) => void) | null = null;
  /** Batches sent so far. */
  sent = 0;
  readonly #inbox: Uint8Array[] = [];
  #peer: FakePort | null = null;

  /** Connects two ends. */
  static pair(): [FakePort, FakePort] {
    const a = new FakePort();
    const b = new FakePort();
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  postMessage(message: Uint8Array): void {
    this.sent++;
    this.#peer!.#inbox.push(message);
  }

  /** Hands over the batches that have come; says whether there were any. */
  deliver(): boolean {
    const batches = this.#inbox.splice(0);
    for (const data of batches) {
      this.onmessage!({ data });
    }
    return batches.length > 0;
  }
}

/** Lets microtasks and deliveries alternate until nothing moves. */
export async function settle(ports: readonly FakePort[]): Promise<void> {
  let moved = true;
  while (moved) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    moved = false;
    for (const port of ports) if (port.deliver()) moved = true;
  }
}
