import type { TranslationBundle } from '@jupyterlab/translation';

/**
 * The pieces of a large file as JupyterLab's own upload sends them.
 *
 * It saves the same path again and again with `chunk` 1, 2, 3, … and -1 for the last, each with
 * base64 of a mebibyte. Collected here (the browser keeps blobs on disk where they are many), they
 * become one upload at the end, so that an upload that stops midway leaves nothing behind, and a
 * piece that is sent twice counts once.
 */
export class ChunkCollector {
  constructor(private readonly _trans: TranslationBundle) {}

  /**
   * Take a piece.
   *
   * @returns The whole content with the last piece, else null.
   * @throws Error where a piece is missing.
   */
  add(path: string, chunk: number, base64: string): Blob | null {
    const piece = new Blob([fromBase64(base64)]);
    const pieces = chunk === 1 ? [] : (this._pieces.get(path) ?? []);
    if (chunk === -1 && pieces.length > 0) {
      this._pieces.delete(path);
      return new Blob([...pieces, piece]);
    }
    if (chunk < 1 || chunk > pieces.length + 1) {
      this._pieces.delete(path);
      throw new Error(this._trans.__('A piece of %1 is missing: upload it again.', path));
    }
    pieces.splice(chunk - 1, pieces.length, piece);
    this._pieces.set(path, pieces);
    return null;
  }

  private readonly _pieces = new Map<string, Blob[]>();
}

/** Decode base64. */
export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

/** Encode as base64, piece by piece: the arguments of a call are limited. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return btoa(binary);
}
