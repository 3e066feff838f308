/**
 * How answers are written from the schemas of their routes: by Fastify's own compiler, but made when
 * a route first answers. Those of all routes take 65 ms of processor time, for which a start waits.
 * The compiler itself is loaded with the thread: see src/base/loading-threads.ts.
 */
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';

type Compile = ReturnType<ReturnType<typeof SerializerSelector>>;

const compilerOf = SerializerSelector();

export function serializersWhenAsked(...given: Parameters<typeof compilerOf>): Compile {
  const compile = compilerOf(...given);
  return (route) => {
    let write: ReturnType<Compile> | undefined;
    return (answer) => {
      write ??= compile(route);
      return write(answer);
    };
  };
}
