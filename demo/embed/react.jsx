/** A text box that goes on writing, as a React component; `model` is the address of what `CharacterModel.save()` gave. */
import { useEffect, useRef, useState } from 'react';
import { loadTextGenerator } from 'webgpu-rnn/inference';

export function WritingBox({ model }) {
  const [text, setText] = useState('The ');
  const [generator, setGenerator] = useState(null);
  const writing = useRef(new AbortController());

  useEffect(() => {
    let current = true;
    const loading = fetch(model).then(async (file) => loadTextGenerator(await file.arrayBuffer()));
    loading.then((loaded) => current && setGenerator(loaded));
    return () => {
      current = false;
      writing.current.abort();
      loading.then((loaded) => loaded.dispose());
    };
  }, [model]);

  const goOn = async () => {
    writing.current.abort();
    const { signal } = (writing.current = new AbortController());
    const prompt = [...text].filter((character) => generator.tokenizer.has(character)).join('');
    const options = { length: 200, temperature: 0.7, signal, ...(prompt && { prompt }) };
    try {
      for await (const character of generator.generate(options)) setText((before) => before + character);
    } catch (error) {
      if (error.name !== 'AbortError') throw error;
    }
  };

  const onChange = ({ target }) => {
    writing.current.abort();
    setText(target.value);
  };
  return (
    <>
      <textarea rows={8} cols={60} value={text} onChange={onChange} />
      <button disabled={!generator} onClick={goOn}>
        Go on
      </button>
    </>
  );
}
