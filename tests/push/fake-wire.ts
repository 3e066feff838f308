/** A connection that keeps what it was handed, and takes nothing while it is told to be stuck. */
import type { EncodedMessage } from '#src/push/encoded-message';
import type { StreamMessage } from '#src/push/messages';
import type { CloseReason, Wire } from '#src/push/stream-client';

export class FakeWire implements Wire {
  readonly messages: StreamMessage[] = [];
  readonly closed: CloseReason[] = [];
  isStuck = false;
  bufferedBytes = 0;
  bufferedBytesMax = 0;

  send({ bytes }: EncodedMessage): void {
    this.messages.push(JSON.parse(String(bytes)));
    if (this.isStuck) this.bufferedBytes += bytes.length;
    this.bufferedBytesMax = Math.max(this.bufferedBytesMax, this.bufferedBytes);
  }

  drain(): void {
    this.isStuck = false;
    this.bufferedBytes = 0;
  }

  close(reason: CloseReason): void {
    this.closed.push(reason);
  }

  /** The messages since the last call. */
  take(): StreamMessage[] {
    return this.messages.splice(0);
  }
}
