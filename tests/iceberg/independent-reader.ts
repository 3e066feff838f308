/**
 * Tables as icebird sees them: somebody else's reader, from the version hint down to the entries of
 * the manifests. It asks through `fetch`, which here answers from a disk.
 */
import { icebergManifests, icebergMetadata } from 'icebird';
import type { Disk } from '#src/base/disk';
import { readFile } from '#src/base/disk';

export interface SeenFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly partition: Readonly<Record<string, unknown>>;
  /** Everything else that is said of it: counts, sizes, bounds. */
  readonly metrics: string;
}

export interface SeenTable {
  /** Whose files these are; undefined for a table without one. */
  readonly snapshot: number | undefined;
  /** Live files of the snapshot, by path relative to the lake. */
  readonly files: ReadonlyMap<string, SeenFile>;
  readonly snapshots: readonly {
    readonly id: number;
    readonly epoch: number;
    readonly operation: string;
    readonly summary: Readonly<Record<string, string>>;
  }[];
  readonly metadataFiles: readonly string[];
  readonly manifests: number;
}

/** One snapshot of a table on a disk, the current one unless named. */
export function seeTable(
  disk: Disk,
  lakeDir: string,
  table: string,
  snapshotId?: number,
): Promise<SeenTable> {
  const read = (path: string): Uint8Array | undefined =>
    disk.stat(`${lakeDir}/${path}`) === undefined
      ? undefined
      : readFile(disk, `${lakeDir}/${path}`);
  return seeTableIn({ uri: `file://${lakeDir}`, read }, table, snapshotId);
}

/** Where the tables are; icebird asks for objects of S3 at AWS's own address. */
export interface SeenPlace {
  readonly uri: string;
  readonly read: (path: string) => Uint8Array | undefined;
  /** As a catalog answered it; otherwise the newest there is by the version hint. */
  readonly metadata?: unknown;
}

export async function seeTableIn(
  { uri, read, metadata: given }: SeenPlace,
  table: string,
  snapshotId?: number,
): Promise<SeenTable> {
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
  const root = bucket === undefined ? uri : `https://${bucket}.s3.amazonaws.com/${prefix}`;
  const fetchBefore = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const url = String(input);
    if (!url.startsWith(`${root}/`)) return fetchBefore(input, init);
    const bytes = read(url.slice(root.length + 1));
    if (bytes === undefined) return new Response('', { status: 404 });
    return new Response(new Uint8Array(bytes));
  };
  try {
    const metadata =
      (given as Awaited<ReturnType<typeof icebergMetadata>> | undefined) ??
      (await icebergMetadata({ tableUrl: `${uri}/${table}` }));
    const current = metadata['current-snapshot-id'];
    const asked = snapshotId ?? (current === undefined || current < 0 ? undefined : current);
    const files = new Map<string, SeenFile>();
    const lists =
      asked === undefined
        ? []
        : await icebergManifests({ ...metadata, 'current-snapshot-id': asked });
    for (const { entries } of lists) {
      for (const { status, data_file } of entries) {
        if (status === 2) continue;
        const path = data_file.file_path.replace(`${uri}/`, '');
        if (files.has(path)) throw new Error(`${path} is in the snapshot twice`);
        files.set(path, {
          path,
          rows: Number(data_file.record_count),
          bytes: Number(data_file.file_size_in_bytes),
          partition: data_file.partition as unknown as Record<string, unknown>,
          metrics: metricsOf(data_file),
        });
      }
    }
    const log = (metadata['metadata-log'] ?? []) as { 'metadata-file': string }[];
    return {
      snapshot: asked === undefined ? undefined : Number(asked),
      files,
      snapshots: (metadata.snapshots ?? []).map((snapshot) => {
        const summary = snapshot.summary as unknown as Record<string, string>;
        return {
          id: Number(snapshot['snapshot-id']),
          epoch: Number(summary['bullion.epoch']),
          operation: String(summary.operation),
          summary,
        };
      }),
      metadataFiles: log.map((entry) => entry['metadata-file']),
      manifests: lists.length,
    };
  } finally {
    globalThis.fetch = fetchBefore;
  }
}

/** The bytes of bounds as hex, numbers as text: one spelling whatever the reader made of them. */
function metricsOf(dataFile: object): string {
  const { partition: _, file_path: __, ...rest } = dataFile as Record<string, unknown>;
  return JSON.stringify(rest, (_key, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
  });
}
