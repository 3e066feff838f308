/** Warehouses on the S3 server of the tests. */
import { systemClock } from '#src/base/clock';
import { S3Warehouse } from '#src/warehouse/s3-warehouse';
import { ACCESS_KEY, BUCKET, type S3Server, SECRET_KEY } from '#tests/support/s3-server';

export interface S3Options {
  readonly timeoutMs?: number;
  readonly outageMs?: number;
}

/** The SDK takes credentials from the environment of the process. Pauses are not slept through. */
export function s3Warehouse(
  server: S3Server,
  prefix: string,
  { timeoutMs = 5_000, outageMs = 60_000 }: S3Options = {},
): S3Warehouse {
  process.env.AWS_ACCESS_KEY_ID = ACCESS_KEY;
  process.env.AWS_SECRET_ACCESS_KEY = SECRET_KEY;
  const { endpoint } = server;
  const location = { bucket: BUCKET, prefix, endpoint, region: 'us-east-1', pathStyle: true };
  let pausedMs = 0;
  return new S3Warehouse(location, {
    clock: { monotonicMs: () => systemClock().monotonicMs() + pausedMs },
    pause: async (ms) => {
      pausedMs += ms;
    },
    timeoutMs,
    outageMs,
  });
}
