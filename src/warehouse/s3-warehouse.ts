/**
 * A warehouse in a bucket of S3, or of whatever speaks its protocol.
 *
 * An object is whole or not there, and durable when the PUT is answered. `create` is a PUT with
 * `If-None-Match: *`, which the store answers with 412 when the name is taken: the commit point of a
 * table. Every attempt is made once by the SDK and again by us, so that an unknown outcome (a timeout, a
 * 5xx, a cut connection) is looked up before anything is sent again: an object with our very bytes is
 * ours. Bodies travel with their SHA-256, which the store checks.
 *
 * Credentials are the SDK's own business: the environment, the shared files, the machine's role.
 */
import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { AttemptTimeout, type Patience, patiently } from '#src/warehouse/attempts';
import {
  type CreatePoint,
  forEachOf,
  type Warehouse,
  WarehouseError,
  type WarehouseFile,
} from '#src/warehouse/warehouse';

export interface S3Location {
  readonly bucket: string;
  /** Without slashes at its ends; '' is the whole bucket. */
  readonly prefix: string;
  /** Undefined: AWS's own of the region. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean;
}

type Sdk = typeof import('@aws-sdk/client-s3');

interface Connection {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

/** Of connections and of requests under way. */
const PARALLEL = 8;

/** Answers that may be different a moment later, besides all of 5xx. */
const TRANSIENT_STATUS = new Set([408, 409, 425, 429]);

export class S3Warehouse implements Warehouse {
  readonly uri: string;
  readonly parallel = PARALLEL;
  readonly #location: S3Location;
  readonly #patience: Patience;
  #connection: Promise<Connection> | undefined;

  constructor(location: S3Location, patience: Patience) {
    const { bucket, prefix } = location;
    this.uri = `s3://${bucket}${prefix && `/${prefix}`}`;
    this.#location = location;
    this.#patience = patience;
  }

  get(path: string): Promise<Buffer> {
    return this.#get(path, undefined);
  }

  getRange(path: string, start: number, length: number): Promise<Buffer> {
    return this.#get(path, `bytes=${start}-${start + length - 1}`);
  }

  async size(path: string): Promise<number | undefined> {
    const object = this.#object(path);
    try {
      const head = await this.#ask(path, ({ sdk, client }, abortSignal) =>
        client.send(new sdk.HeadObjectCommand(object), { abortSignal }),
      );
      return head.ContentLength;
    } catch (error) {
      if (error instanceof WarehouseError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** An object that is written twice is the same as one written once: nothing has to be looked up. */
  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.#ask(path, ({ sdk, client }, abortSignal) =>
      client.send(new sdk.PutObjectCommand(this.#withBody(path, bytes)), { abortSignal }),
    );
  }

  async create(
    path: string,
    bytes: Uint8Array,
    passed: (point: CreatePoint) => void = () => {},
  ): Promise<boolean> {
    passed('staged');
    const isMade = await this.#ask<boolean>(
      path,
      async ({ sdk, client }, abortSignal) => {
        const input = { ...this.#withBody(path, bytes), IfNoneMatch: '*' };
        try {
          await client.send(new sdk.PutObjectCommand(input), { abortSignal });
          return true;
        } catch (error) {
          if (statusOf(error) !== 412) throw error;
          return (await this.#isThere(path, bytes)) === true;
        }
      },
      () => this.#isThere(path, bytes),
    );
    if (!isMade) return false;
    passed('named');
    passed('durable');
    return true;
  }

  async list(folder: string): Promise<WarehouseFile[]> {
    const root = this.#key('');
    const Prefix = folder === '' ? root : `${this.#key(folder)}/`;
    const files: WarehouseFile[] = [];
    let token: string | undefined;
    do {
      const page = await this.#ask(folder, ({ sdk, client }, abortSignal) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.#location.bucket,
            Prefix,
            ContinuationToken: token,
          }),
          { abortSignal },
        ),
      );
      for (const { Key = '', Size = 0 } of page.Contents ?? []) {
        if (!Key.endsWith('/')) files.push({ path: Key.slice(root.length), bytes: Size });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return files;
  }

  /** One by one: not every store takes many in one request, and there are never many. */
  delete(paths: readonly string[]): Promise<void> {
    return forEachOf(this, paths, async (path) => {
      const object = this.#object(path);
      await this.#ask(path, ({ sdk, client }, abortSignal) =>
        client.send(new sdk.DeleteObjectCommand(object), { abortSignal }),
      );
    });
  }

  #get(path: string, Range: string | undefined): Promise<Buffer> {
    const object = { ...this.#object(path), ...(Range !== undefined && { Range }) };
    return this.#ask(path, async ({ sdk, client }, abortSignal) => {
      try {
        const { Body } = await client.send(new sdk.GetObjectCommand(object), { abortSignal });
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      } catch (error) {
        // A range that begins at or after the end: as at the end of a file.
        if (Range !== undefined && statusOf(error) === 416) return Buffer.alloc(0);
        throw error;
      }
    });
  }

  /** Whether these bytes are there under this name; undefined when nothing is. */
  async #isThere(path: string, bytes: Uint8Array): Promise<boolean | undefined> {
    try {
      return (await this.get(path)).equals(bytes);
    } catch (error) {
      if (error instanceof WarehouseError && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #key(path: string): string {
    const { prefix } = this.#location;
    return prefix === '' ? path : `${prefix}/${path}`;
  }

  #object(path: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#location.bucket, Key: this.#key(path) };
  }

  #withBody(path: string, bytes: Uint8Array) {
    return {
      ...this.#object(path),
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
    };
  }

  async #ask<T>(
    path: string,
    send: (connection: Connection, signal: AbortSignal) => Promise<T>,
    look?: () => Promise<T | undefined>,
  ): Promise<T> {
    try {
      this.#connection ??= connect(this.#location);
      const connection = await this.#connection;
      return await patiently(
        this.#patience,
        (signal) => send(connection, signal),
        isTransient,
        look,
      );
    } catch (error) {
      if (error instanceof WarehouseError) throw error;
      const message = `${this.uri}/${path} cannot be reached (${reasonOf(error)}): check the store, its address and the credentials.`;
      throw new WarehouseError(codeOf(error), message, { cause: error });
    }
  }
}

/** The SDK is 2 MB of code, for those who need it. */
async function connect({ endpoint, region, pathStyle }: S3Location): Promise<Connection> {
  // It would print a paragraph about versions of Node to come into every command's standard error.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    region,
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    maxAttempts: 1,
    // Other checksums than the SHA-256 we send are not known to every store.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { httpsAgent: { maxSockets: PARALLEL }, httpAgent: { maxSockets: PARALLEL } },
  });
  return { sdk, client };
}

function statusOf(error: unknown): number | undefined {
  const { $metadata } = (error ?? {}) as { $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode;
}

/** What no answer came to, and answers that may be different a moment later. */
function isTransient(error: unknown): boolean {
  if (error instanceof WarehouseError) return false;
  const status = statusOf(error);
  if (status !== undefined) return status >= 500 || TRANSIENT_STATUS.has(status);
  const { name, code } = error as { name?: string; code?: string };
  if (error instanceof AttemptTimeout || name === 'AbortError' || name === 'TimeoutError') {
    return true;
  }
  return typeof code === 'string' && /^E[A-Z_]+$/.test(code) && !code.startsWith('ERR_');
}

/** As a disk would put it: what it is about goes on from there. */
function codeOf(error: unknown): string {
  const status = statusOf(error);
  const { name } = error as { name?: string };
  if (name === 'NoSuchBucket') return 'ENXIO';
  if (status === 404) return 'ENOENT';
  if (status === 401 || status === 403 || name === 'CredentialsProviderError') return 'EACCES';
  if (status === undefined && isTransient(error)) return 'ETIMEDOUT';
  return 'EIO';
}

function reasonOf(error: unknown): string {
  const { name, message } = error as Error;
  const status = statusOf(error);
  const said = message === name || message === '' ? '' : `: ${message.split('\n')[0]}`;
  return `${status === undefined ? name : `${status} ${name}`}${said}`;
}
