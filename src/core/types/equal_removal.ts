/**
 * Searches in lists, and removals from them, that are gone on with later.
 *
 * @module
 */

/** How far the search for an element has come. */
export class ElementSearch {
  /** The first element that has not been looked at. */
  from = 0;
  /** Bytes of that one that are known to be what is sought. */
  equal = 0;
}

/** How far the removal of equal elements has come. */
export class EqualRemoval {
  /** The first element that has not been looked at. */
  from = 0;
  /** The one behind the last of these. */
  to = 0;
  /** Elements removed. */
  removed = 0;
  /** Bytes of the next element that are known to be what is removed. */
  equal = 0;

  /** Begins with a list of so many elements. */
  begin(length: number): void {
    this.from = this.removed = this.equal = 0;
    this.to = length;
  }
}
