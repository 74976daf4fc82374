import type { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { explain } from '../errors';
import type { ITier, ITierRequest } from '../records';
import { type CredentialKind, type IFormValues, requestOf } from '../tier-form';

/** The form for a bucket, as the body of a dialog. */
export class TierForm extends ReactWidget implements Dialog.IBodyWidget<IFormValues> {
  constructor(
    private readonly _options: {
      values: IFormValues;
      /** Whether the name stays. */
      editing: boolean;
      problem: string;
      test: (name: string, request: ITierRequest) => Promise<ITier>;
      trans: TranslationBundle;
    }
  ) {
    super();
    this._values = _options.values;
    this.addClass('jp-Storage-form');
  }

  getValue(): IFormValues {
    return this._values;
  }

  protected render(): React.JSX.Element {
    return (
      <Form
        {...this._options}
        onChange={values => {
          this._values = values;
        }}
      />
    );
  }

  private _values: IFormValues;
}

function Form(props: {
  values: IFormValues;
  editing: boolean;
  problem: string;
  test: (name: string, request: ITierRequest) => Promise<ITier>;
  trans: TranslationBundle;
  onChange: (values: IFormValues) => void;
}): React.JSX.Element {
  const { editing, test, trans } = props;
  const [values, setValues] = React.useState(props.values);
  const [said, setSaid] = React.useState(props.problem);
  const [bad, setBad] = React.useState(props.problem !== '');
  const change = (part: Partial<IFormValues>) => {
    const next = { ...values, ...part };
    setValues(next);
    props.onChange(next);
  };
  const text = (field: keyof IFormValues, label: string, placeholder: string, more = '') => (
    <label>
      <span>{label}</span>
      <input
        className="jp-mod-styled"
        value={values[field]}
        placeholder={placeholder}
        spellCheck={false}
        onChange={event => change({ [field]: event.target.value })}
        // Enter in a field would accept the dialog: only its button does.
        onKeyDown={event => event.key === 'Enter' && event.stopPropagation()}
      />
      {more && <small>{more}</small>}
    </label>
  );
  const kinds: [CredentialKind, string][] = [
    ['machine', trans.__('This machine’s own role, or the usual places')],
    ['profile', trans.__('A named profile')],
    ['environment', trans.__('Environment variables')],
    ['file', trans.__('A credentials file (Google Cloud)')],
    ['anonymous', trans.__('None: the bucket is public')]
  ];
  const look = async () => {
    setBad(false);
    setSaid(trans.__('Looking…'));
    try {
      const tier = await test(values.name || 'bucket', requestOf(values));
      const ok = tier.state === 'ok';
      setBad(!ok);
      setSaid(
        ok
          ? trans.__('It can be reached and listed.')
          : `${tier.reason ?? tier.state}. ${tier.hint ?? ''}`
      );
    } catch (error) {
      setBad(true);
      setSaid(explain(error));
    }
  };
  return (
    <>
      {text('uri', trans.__('Address'), 's3://bucket/folder')}
      {!editing &&
        text(
          'name',
          trans.__('Name of the tier'),
          'data',
          trans.__('Letters, digits, “-” and “_”; paths begin with it: data:a.csv')
        )}
      <div className="jp-Storage-formRow">
        {text('endpoint', trans.__('Endpoint'), trans.__('other than AWS'))}
        {text('region', trans.__('Region'), trans.__('if it is needed'))}
      </div>
      <label>
        <span>{trans.__('Credentials')}</span>
        <select
          className="jp-mod-styled"
          value={values.kind}
          onChange={event => change({ kind: event.target.value as CredentialKind })}
        >
          {kinds.map(([kind, label]) => (
            <option key={kind} value={kind}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {values.kind === 'profile' && text('profile', trans.__('Profile'), 'team')}
      {values.kind === 'environment' && (
        <>
          <div className="jp-Storage-formRow">
            {text('keyVariable', trans.__('Variable with the access key'), 'TEAM_KEY')}
            {text('secretVariable', trans.__('Variable with the secret key'), 'TEAM_SECRET')}
          </div>
          <small>{trans.__('The names of the variables, never the secret itself.')}</small>
        </>
      )}
      {values.kind === 'file' && text('file', trans.__('File'), '/run/secrets/key.json')}
      <div className="jp-Storage-formTest">
        <button
          className="jp-Dialog-button jp-mod-styled jp-mod-reject"
          onClick={() => void look()}
        >
          {trans.__('Test the Connection')}
        </button>
        <span role="status" className={bad ? 'jp-mod-warn' : undefined}>
          {said}
        </span>
      </div>
    </>
  );
}
