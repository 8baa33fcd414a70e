/**
 * Streams: no command makes one yet.
 *
 * @module
 */
import type { ValueMemory, ValueType } from "./value_type.ts";

export class StreamValue implements ValueType {
  readonly encodingNames: readonly string[] = [];
  constructor(_memory: ValueMemory) {}
  length(_ref: number): number {
    return 0;
  }
  memoryBytes(_ref: number, _samples: number): number {
    return 0;
  }
  weight(_ref: number): number {
    return 0;
  }
  free(_ref: number): void {}
  freeSlice(_ref: number, _budget: number): boolean {
    return true;
  }
  copyFrom(_source: ValueType, _sourceRef: number, _ref: number): void {}
}
