import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretUpIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { formatBytes } from '../format';
import { addressOf } from '../paths';
import type { IPreview } from '../records';
import { CommandIDs } from '../tokens';
import type { IPanelContext } from './context';
import { useSignal } from './hooks';
import { DataTable, Notebook, Picture, Text } from './PreviewContents';

/** What the file with the focus looks like, and what is known of it. */
export function Preview({ context }: { context: IPanelContext }): React.JSX.Element | null {
  const { preview: model, commands, trans } = context;
  useSignal(model.changed);
  const { entry, preview, error } = model;
  if (!entry) {
    return null;
  }
  const step = (by: number, label: string, Icon: typeof caretUpIcon) => (
    <button
      className="jp-Storage-iconButton"
      title={label}
      aria-label={label}
      onClick={() => model.step(by)}
    >
      <Icon.react tag="span" className="jp-Storage-icon" />
    </button>
  );
  const action = (command: string, label: string) => (
    <button className="jp-Storage-link" onClick={() => void commands.execute(command)}>
      {label}
    </button>
  );
  const versions = pathInProject(context, entry.path);
  return (
    <section className="jp-Storage-preview" aria-label={trans.__('Preview of %1', entry.name)}>
      <header>
        <h2 title={entry.path}>{entry.name}</h2>
        <div className="jp-Storage-actions">
          {action(CommandIDs.open, trans.__('Open'))}
          {action(CommandIDs.download, trans.__('Download'))}
          {versions && (
            <button
              className="jp-Storage-link"
              onClick={() => void commands.execute(CommandIDs.versions, { path: versions })}
            >
              {trans.__('Versions…')}
            </button>
          )}
          {step(-1, trans.__('Previous'), caretUpIcon)}
          {step(1, trans.__('Next'), caretDownIcon)}
        </div>
      </header>
      <Details context={context} />
      {preview?.hint && <p className="jp-Storage-hint">{preview.hint}</p>}
      {error ? (
        <div className="jp-Storage-message jp-mod-error" role="alert">
          <p>{error}</p>
          <button className="jp-Storage-link" onClick={() => model.retry()}>
            {trans.__('Retry')}
          </button>
        </div>
      ) : (
        <div className="jp-Storage-previewBody" aria-busy={!preview}>
          {preview ? (
            <Content preview={preview} image={model.image} trans={trans} />
          ) : (
            <p className="jp-Storage-message">{trans.__('Loading…')}</p>
          )}
        </div>
      )}
      <footer className="jp-Storage-statusLine">
        <span role="status">{preview && extent(preview, trans)}</span>
      </footer>
    </section>
  );
}

function Content({
  preview,
  image,
  trans
}: {
  preview: IPreview;
  image: string;
  trans: TranslationBundle;
}): React.JSX.Element {
  switch (preview.kind) {
    case 'table':
      return <DataTable preview={preview} trans={trans} />;
    case 'notebook':
      return <Notebook preview={preview} trans={trans} />;
    case 'image':
      return <Picture source={image} name={preview.entry.name} trans={trans} />;
    case 'empty':
      return <p className="jp-Storage-message">{trans.__('The file is empty.')}</p>;
    case 'none':
      return (
        <p className="jp-Storage-message">
          {preview.entry.type === 'directory'
            ? trans.__('A folder. Enter opens it.')
            : trans.__('The link leads to nothing on this tier.')}
        </p>
      );
    default:
      return <Text text={preview.text} trans={trans} />;
  }
}

/** What is known of the file. */
function Details({ context }: { context: IPanelContext }): React.JSX.Element {
  const { trans } = context;
  const { preview } = context.preview;
  // What is looked into may be newer than what was listed.
  const entry = preview?.entry ?? context.preview.entry!;
  const names: Record<string, string> = {
    owner: trans.__('Owner'),
    group: trans.__('Group'),
    permissions: trans.__('Permissions'),
    storage_class: trans.__('Storage class'),
    content_type: trans.__('Content type'),
    etag: trans.__('ETag'),
    version: trans.__('Version'),
    encryption: trans.__('Encryption')
  };
  const rows: [string, string][] = [
    [trans.__('Path'), entry.path],
    [
      trans.__('Size'),
      entry.size === null
        ? ''
        : entry.size < 1000
          ? formatBytes(entry.size)
          : `${formatBytes(entry.size)} (${entry.size.toLocaleString()} B)`
    ],
    [trans.__('Modified'), entry.modified ? new Date(entry.modified).toLocaleString() : ''],
    [trans.__('Link to'), entry.link ?? ''],
    [trans.__('Rows'), preview?.row_count?.toLocaleString() ?? ''],
    [trans.__('Encoding'), preview?.encoding ?? ''],
    [trans.__('Checksum'), entry.checksum ?? ''],
    ...Object.entries(preview?.details ?? {}).map(([name, value]): [string, string] => [
      names[name] ?? name,
      value
    ])
  ];
  return (
    <dl className="jp-Storage-facts">
      {rows
        .filter(([, value]) => value)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd title={value}>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** How much of the file is to be seen. */
function extent(preview: IPreview, trans: TranslationBundle): string {
  if (preview.complete) {
    return '';
  }
  switch (preview.kind) {
    case 'table':
      return preview.row_count === null
        ? trans.__('The first %1 rows', preview.rows.length)
        : trans.__(
            'The first %1 of %2 rows',
            preview.rows.length.toLocaleString(),
            preview.row_count.toLocaleString()
          );
    case 'notebook':
      return trans.__('The first %1 cells', preview.cells.length);
    case 'text':
    case 'json':
    case 'binary':
      return preview.text ? trans.__('The beginning of the file') : '';
    default:
      return '';
  }
}

/** The path of a file in the project directory, which has versions; empty for others. */
function pathInProject({ model, preview }: IPanelContext, path: string): string {
  const { snapshots } = model;
  if (!snapshots || snapshots.state === 'off' || preview.entry?.type !== 'file') {
    return '';
  }
  const project = `${snapshots.project.replace(/\/+$/, '')}/`;
  const local = addressOf(path, model.tiers, 'path');
  return local.startsWith(project) ? local.slice(project.length) : '';
}
