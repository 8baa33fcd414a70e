import { Buffer } from "node:buffer";

/** Bytes of every value, in an order that differs from seed to seed. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) + seed) & 255;
  return bytes;
}

/** The next event of that name; unlike node's once() it outlives errors. */
export function nextEvent(
  emitter: { once(name: string, listener: () => void): unknown },
  name: string,
): Promise<void> {
  return new Promise((resolve) => void emitter.once(name, () => resolve()));
}
