import { closeIcon, deleteIcon, folderIcon, type LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { formatDate } from '../format';
import { tierIcon } from '../icons';
import { nameOf } from '../paths';
import type { IMount, IStorageRecord } from '../records';
import { StorageCommandIDs } from '../tokens';
import type { IPanelContext } from './context';
import { useSignal } from './hooks';

/** What is mounted, and the storages that were made here. */
export function Storages({ context }: { context: IPanelContext }): React.JSX.Element {
  const { storages } = context.model;
  useSignal(storages.changed);
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => storages.watch(() => Boolean(node.current?.offsetParent)), [storages]);
  return <div ref={node}>{content(context)}</div>;
}

function content(context: IPanelContext): React.JSX.Element {
  const { model, trans } = context;
  const { storages } = model;
  if (storages.error) {
    return (
      <div className="jp-Storage-message jp-mod-error" role="alert">
        <p>{storages.error}</p>
        <button className="jp-Storage-link" onClick={() => void storages.refresh()}>
          {trans.__('Retry')}
        </button>
      </div>
    );
  }
  if (!storages.loaded) {
    return <div className="jp-Storage-message">{trans.__('Looking…')}</div>;
  }
  if (storages.mounts.length === 0 && storages.storages.length === 0) {
    return (
      // Nothing in it takes the focus, by which the keyboard scrolls it.
      <div className="jp-Storage-message" tabIndex={0}>
        <p>{trans.__('No storages, and nothing is mounted.')}</p>
        <p>
          {trans.__(
            'Right-click a YAML file with “file_mounts” to apply it, or a folder of a tier to mount it.'
          )}
        </p>
      </div>
    );
  }
  return (
    <>
      {storages.mounts.length > 0 && (
        <ul className="jp-Storage-mounts" aria-label={trans.__('Mounts')}>
          {storages.mounts.map(mount => (
            <Mount key={mount.id} mount={mount} context={context} />
          ))}
        </ul>
      )}
      {storages.storages.length > 0 && (
        <ul className="jp-Storage-mounts" aria-label={trans.__('Storages')}>
          {storages.storages.map(storage => (
            <Storage key={storage.name} storage={storage} context={context} />
          ))}
        </ul>
      )}
    </>
  );
}

function Mount({ mount, context }: { mount: IMount; context: IPanelContext }): React.JSX.Element {
  const { model, commands, trans } = context;
  const name = nameOf(mount.target);
  const busy = model.storages.busy.has(mount.id);
  const copied = mount.mode === 'COPY';
  const run = (id: string) => () => void commands.execute(id, { id: mount.id });
  const states: Record<IMount['state'], string> = {
    ok: '',
    dead: trans.__('does not work: it is being brought back'),
    hanging: trans.__('does not answer'),
    missing: copied ? trans.__('is not here any more') : trans.__('is not mounted any more'),
    incomplete: trans.__('not all of it is here')
  };
  const details = [
    mount.target,
    mount.uri,
    mount.read_only ? trans.__('Read-only') : mount.mode,
    copied
      ? trans.__('A copy in place of a mount: %1', mount.reason)
      : trans.__('Mounter: %1, because %2', mount.mounter, mount.reason)
  ];
  return (
    <li className="jp-Storage-mount" aria-busy={busy}>
      <Line
        icon={folderIcon}
        title={details.join('\n')}
        name={name}
        more={mount.read_only ? trans.__('read-only') : mount.mode}
      >
        <button
          className="jp-Storage-iconButton"
          title={copied ? trans.__('End the Copy') : trans.__('Unmount')}
          aria-label={copied ? trans.__('End the copy %1', name) : trans.__('Unmount %1', name)}
          disabled={busy}
          onClick={run(StorageCommandIDs.unmount)}
        >
          <closeIcon.react tag="span" />
        </button>
      </Line>
      <div className="jp-Storage-small" title={mount.uri}>
        {busy ? trans.__('One moment…') : mount.uri}
      </div>
      {mount.state !== 'ok' && !busy && (
        <div className="jp-Storage-mountState jp-mod-error" role="status">
          <span>{states[mount.state]}</span>
          <button
            className="jp-Storage-link"
            disabled={busy}
            aria-label={trans.__('Bring back %1', name)}
            onClick={run(StorageCommandIDs.repair)}
          >
            {copied ? trans.__('Fetch') : trans.__('Bring Back')}
          </button>
        </div>
      )}
      {mount.pending > 0 && (
        <div className="jp-Storage-mountState" role="status" title={mount.waiting.join('\n')}>
          <span>
            {copied
              ? trans._n('%1 file changed here', '%1 files changed here', mount.pending)
              : trans._n('%1 file not uploaded yet', '%1 files not uploaded yet', mount.pending)}
          </span>
          <button
            className="jp-Storage-link"
            disabled={busy}
            aria-label={
              copied
                ? trans.__('Upload the changes of %1', name)
                : trans.__('Wait for the uploads of %1', name)
            }
            onClick={run(StorageCommandIDs.flush)}
          >
            {busy ? trans.__('Waiting…') : copied ? trans.__('Upload') : trans.__('Flush')}
          </button>
        </div>
      )}
    </li>
  );
}

function Storage({
  storage,
  context
}: {
  storage: IStorageRecord;
  context: IPanelContext;
}): React.JSX.Element {
  const { model, commands, trans } = context;
  const { name, status } = storage;
  const busy = model.storages.busy.has(name);
  const statuses: Record<IStorageRecord['status'], string> = {
    INIT: trans.__('Being made: apply its file again'),
    READY: '',
    UPLOAD_FAILED: trans.__('Not all files arrived: apply its file again'),
    DELETING: trans.__('Being deleted, or interrupted in that: delete it again'),
    GONE: trans.__('Somebody deleted the bucket: delete it here, too'),
    UNREACHABLE: trans.__('Nobody can tell now')
  };
  const details = [storage.uri, storage.command, storage.created];
  return (
    <li className="jp-Storage-mount" aria-busy={busy}>
      <Line
        icon={tierIcon('', storage.uri)}
        title={details.join('\n')}
        name={name}
        more={formatDate(storage.created)}
      >
        <button
          className="jp-Storage-iconButton"
          title={trans.__('Mount…')}
          aria-label={trans.__('Mount the storage %1', name)}
          disabled={busy || status === 'GONE'}
          onClick={() => void commands.execute(StorageCommandIDs.mountStorage, { name })}
        >
          <folderIcon.react tag="span" />
        </button>
        <button
          className="jp-Storage-iconButton"
          title={trans.__('Delete')}
          aria-label={trans.__('Delete the storage %1', name)}
          disabled={busy}
          onClick={() => void commands.execute(StorageCommandIDs.remove, { name })}
        >
          <deleteIcon.react tag="span" />
        </button>
      </Line>
      <div className="jp-Storage-small" title={storage.uri}>
        {storage.persistent
          ? storage.uri
          : `${trans.__('Until its workload ends')} · ${storage.uri}`}
      </div>
      {status !== 'READY' && (
        <div className="jp-Storage-mountState jp-mod-error" role="status">
          <span>{statuses[status]}</span>
        </div>
      )}
    </li>
  );
}

function Line(props: {
  icon: LabIcon;
  name: string;
  title: string;
  more: string;
  children: React.ReactNode;
}): React.JSX.Element {
  return (
    <div className="jp-Storage-transferLine">
      <props.icon.react className="jp-Storage-icon" tag="span" />
      <span className="jp-Storage-transferTitle" title={props.title}>
        {props.name}
      </span>
      <span className="jp-Storage-small">{props.more}</span>
      {props.children}
    </div>
  );
}
