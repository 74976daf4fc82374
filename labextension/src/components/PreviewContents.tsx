import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IPreview } from '../records';

interface IContentProps {
  preview: IPreview;
  trans: TranslationBundle;
}

/** Text as it is: nothing in it is markup. */
export function Text({
  text,
  trans
}: {
  text: string;
  trans: TranslationBundle;
}): React.JSX.Element {
  return (
    <pre
      className="jp-Storage-scroll jp-Storage-text"
      tabIndex={0}
      role="region"
      aria-label={trans.__('Text')}
    >
      {text}
    </pre>
  );
}

/** The first rows of a table. */
export function DataTable({ preview, trans }: IContentProps): React.JSX.Element {
  return (
    <div
      className="jp-Storage-scroll"
      tabIndex={0}
      role="region"
      aria-label={trans.__('First rows of %1', preview.entry.name)}
    >
      <table className="jp-Storage-table">
        <thead>
          <tr>
            {preview.columns.map((column, i) => (
              <th key={i} scope="col">
                {column.name || '\u00a0'}
                {column.type && <small>{column.type}</small>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {preview.rows.map((row, i) => (
            <tr key={i}>
              {row.map((value, j) => (
                <td key={j} title={value ?? undefined} className={kindOf(value)}>
                  {value ?? trans.__('null')}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The cells of a notebook, without outputs. */
export function Notebook({ preview, trans }: IContentProps): React.JSX.Element {
  return (
    <div
      className="jp-Storage-scroll jp-Storage-cells"
      tabIndex={0}
      role="region"
      aria-label={trans.__('Cells of %1', preview.entry.name)}
    >
      {preview.cells.map((cell, i) => (
        <pre key={i} className={`jp-Storage-source jp-mod-${cell.cell_type}`}>
          {cell.source || '\u00a0'}
        </pre>
      ))}
    </div>
  );
}

export function Picture({
  source,
  name,
  trans
}: {
  source: string;
  name: string;
  trans: TranslationBundle;
}): React.JSX.Element {
  const [size, setSize] = React.useState('');
  const [broken, setBroken] = React.useState(false);
  React.useEffect(() => {
    setSize('');
    setBroken(false);
  }, [source]);
  if (broken) {
    return (
      <p className="jp-Storage-message">{trans.__('It is no image that the browser can show.')}</p>
    );
  }
  return (
    <figure className="jp-Storage-picture">
      <img
        src={source}
        alt={name}
        onError={() => setBroken(true)}
        onLoad={event => {
          const { naturalWidth, naturalHeight } = event.currentTarget;
          setSize(`${naturalWidth} × ${naturalHeight}`);
        }}
      />
      <figcaption>{size}</figcaption>
    </figure>
  );
}

/** Numbers stand to the right; a missing value is not the word. */
function kindOf(value: string | null): string | undefined {
  if (value === null) {
    return 'jp-mod-null';
  }
  return /^-?[\d.,]+(e[+-]?\d+)?$/i.test(value) ? 'jp-mod-number' : undefined;
}
