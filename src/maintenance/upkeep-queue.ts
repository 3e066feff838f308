/**
 * What a maintenance job wants to change waits here for the next epoch, which commits it together
 * with its own rows in the one transaction there is. One change at a time.
 */
import { assert } from '#src/base/errors';
import type { StagedFile } from '#src/lake/staged-file';

/** Rows in `retired` are in `added` or in other files; those in `expired` leave for good. */
export interface UpkeepChange {
  readonly added: readonly StagedFile[];
  readonly retired: readonly string[];
  readonly expired: readonly string[];
  readonly candlesFromUs?: readonly number[];
}

/** The change was given up: nothing of it is committed, its new files will be deleted. */
export class UpkeepAbandoned extends Error {}

interface Waiting {
  readonly change: UpkeepChange;
  readonly resolve: () => void;
  readonly reject: (reason: UpkeepAbandoned) => void;
}

export class UpkeepQueue {
  #waiting: Waiting | undefined;
  #committing: Waiting | undefined;
  #isCommitted = false;

  /** Whether a change waits or is being committed. */
  get isBusy(): boolean {
    return this.#waiting !== undefined || this.#committing !== undefined;
  }

  /** Resolves when the change is committed and published. */
  offer(change: UpkeepChange): Promise<void> {
    assert(!this.isBusy, 'one change at a time');
    return new Promise((resolve, reject) => {
      this.#waiting = { change, resolve, reject };
    });
  }

  /** For an epoch that is about to commit: the change to take along, if its files are still live. */
  take(isLive: (path: string) => boolean): UpkeepChange | undefined {
    assert(this.#committing === undefined, 'an epoch began before the one before it ended');
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return undefined;
    const gone = [...waiting.change.retired, ...waiting.change.expired].find((p) => !isLive(p));
    if (gone !== undefined) {
      waiting.reject(new UpkeepAbandoned(`${gone} left its table meanwhile`));
      return undefined;
    }
    this.#committing = waiting;
    this.#isCommitted = false;
    return waiting.change;
  }

  /** The epoch that took the change along is durable: recovery publishes it if nobody else does. */
  committed(): void {
    this.#isCommitted = true;
  }

  /** The epoch that took the change along is published. */
  published(): void {
    this.#committing?.resolve();
    this.#committing = undefined;
  }

  /** No epoch will take it along any more: the processing group failed, or the process ends. */
  abandon(reason: string): void {
    const given = new UpkeepAbandoned(reason);
    this.#waiting?.reject(given);
    if (this.#isCommitted) this.#committing?.resolve();
    else this.#committing?.reject(given);
    this.#waiting = undefined;
    this.#committing = undefined;
  }
}
