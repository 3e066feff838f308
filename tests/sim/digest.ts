/** A rolling 64-bit digest of numbers and bytes: two runs that differ anywhere differ in it. */
export class Digest {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;

  add(x: number, y = 0): void {
    const low = (y % 4_294_967_296) | 0;
    this.#a = Math.imul(this.#a ^ x, 0x01000193) ^ (this.#b >>> 15);
    this.#b = Math.imul(this.#b ^ low, 0x85ebca6b) + this.#a;
  }

  bytes(bytes: Uint8Array, from = 0, to = bytes.length): void {
    let a = this.#a;
    for (let i = from; i < to; i++) a = Math.imul(a ^ (bytes[i] as number), 0x01000193);
    this.#a = a;
    this.add(to - from);
  }

  text(text: string): void {
    let a = this.#a;
    for (let i = 0; i < text.length; i++) a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    this.#a = a;
    this.add(text.length);
  }

  get hex(): string {
    const part = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return part(this.#a) + part(this.#b);
  }
}

/** A small number for a name, for the digest. */
export function labelOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
