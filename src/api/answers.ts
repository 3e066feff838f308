/**
 * Answers that are ready-made bytes: in which format (the parameter `format`, else the Accept header),
 * with which headers, and how many bytes of them may wait for slow clients at a time.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { oneOf, optional, type Parameter } from '#src/api/parameters';
import { Problem } from '#src/api/problem';
import { ANSWER_FORMATS, type AnswerFormat } from '#src/query/answer-format';

export const MEDIA_TYPES: Readonly<Record<AnswerFormat, string>> = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  arrow: 'application/vnd.apache.arrow.stream',
  parquet: 'application/vnd.apache.parquet',
};

export const FORMAT: Parameter<AnswerFormat | undefined> = optional(
  oneOf(ANSWER_FORMATS, 'Of the answer; goes before the Accept header. JSON unless given.'),
);

/** Bytes of answers that clients have not taken yet, over all clients. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;

/** The first media type of an Accept header that there is; 406 where there is none of them. */
export function formatOf(given: AnswerFormat | undefined, request: FastifyRequest): AnswerFormat {
  if (given !== undefined) return given;
  const { accept } = request.headers;
  if (accept === undefined) return 'json';
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (parameters.includes('q=0')) continue;
    if (name === '*/*' || name === 'application/*' || name === 'text/html') return 'json';
    if (name === 'text/*') return 'csv';
    const found = ANSWER_FORMATS.find((format) => MEDIA_TYPES[format].split(';')[0] === name);
    if (found !== undefined) return found;
  }
  const names = Object.values(MEDIA_TYPES).map((type) => type.split(';')[0]);
  throw new Problem(406, `There is no answer of an accepted type; there are ${names.join(', ')}.`);
}

export class Answers {
  #unsent = 0;

  /** `name`: of the file it is saved as, without an extension. */
  send(reply: FastifyReply, format: AnswerFormat, name: string, body: Uint8Array): FastifyReply {
    if (format !== 'json') {
      reply.header('content-disposition', `attachment; filename="${name}.${format}"`);
    }
    return this.sendBytes(reply, MEDIA_TYPES[format], body);
  }

  sendBytes(reply: FastifyReply, type: string, body: Uint8Array): FastifyReply {
    if (this.#unsent + body.byteLength > UNSENT_BYTES_MAX) {
      const sentence = 'Too many large answers are still being taken by their clients.';
      throw new Problem(503, sentence, { 'retry-after': '2' });
    }
    this.#unsent += body.byteLength;
    reply.raw.once('close', () => {
      this.#unsent -= body.byteLength;
    });
    return reply.type(type).send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  }
}
