/** What the server says when it refuses. */
export interface IProblem {
  kind: string;
  message: string;
  hint?: string | null;
  path?: string | null;
}

/** An answer that is an error: what happened, to which file, and what to do. */
export class StorageError extends Error {
  constructor(
    readonly status: number,
    readonly problem: IProblem
  ) {
    super(problem.message);
    this.name = 'StorageError';
  }

  /** Read an error from a response, whoever made it (a proxy answers in HTML). */
  static async from(response: Response): Promise<StorageError> {
    try {
      const body = (await response.json()) as Partial<IProblem>;
      if (typeof body.message === 'string') {
        return new StorageError(response.status, {
          kind: body.kind ?? 'StorageError',
          message: body.message,
          hint: body.hint,
          path: body.path
        });
      }
    } catch {
      // Not JSON: the status line has to do.
    }
    return new StorageError(response.status, {
      kind: 'HTTP',
      message: `${response.status} ${response.statusText}`.trim()
    });
  }

  get kind(): string {
    return this.problem.kind;
  }

  get hint(): string {
    return this.problem.hint ?? '';
  }

  /** Whether the same request may succeed a moment later. */
  get passing(): boolean {
    return [408, 422, 423, 425, 429, 502, 503, 504].includes(this.status);
  }
}

/** One or two sentences about any error, with the file's path where it is known. */
export function explain(error: unknown): string {
  if (error instanceof StorageError) {
    const { message, path, hint } = error.problem;
    const where = path && !message.includes(path) ? `${path}: ` : '';
    const end = /[.!?…]$/.test(message) ? '' : '.';
    return `${where}${message}${end}${hint ? ` ${hint}` : ''}`;
  }
  return error instanceof Error ? error.message : String(error);
}
