"""Layouts of translation models: a folder or an ``.argosmodel`` archive, each with its own tokens.

::

    Marian, OPUS-MT      model.bin, source.spm, target.spm
    Argos                model/model.bin, sentencepiece.model, metadata.json   (also as a zip, in a folder of its own)
    NLLB, M2M100         model.bin, sentencepiece.bpe.model or sentencepiece.model, language tokens in the vocabulary
    one sentencepiece    model.bin, sentencepiece.model, no language tokens
"""

import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sentencepiece import SentencePieceProcessor

from octavia.engines.characters import has_letter
from octavia.engines.failures import damaged
from octavia.errors import ModelError

_EOS = "</s>"
_SIGN = re.compile(">>.+<<")
_SPACE = "\u2581"
"""Sentencepiece's sign for a space, which begins every text."""

_SHARED_PIECES = ("sentencepiece.bpe.model", "sentencepiece.model")
# NLLB-200 names languages by ISO 639-3 and script; these are its names for the languages that Whisper hears.
_NLLB_TABLE = """
    af=afr_Latn am=amh_Ethi ar=arb_Arab as=asm_Beng az=azj_Latn ba=bak_Cyrl be=bel_Cyrl bg=bul_Cyrl bn=ben_Beng
    bo=bod_Tibt bs=bos_Latn ca=cat_Latn cs=ces_Latn cy=cym_Latn da=dan_Latn de=deu_Latn el=ell_Grek en=eng_Latn
    es=spa_Latn et=est_Latn eu=eus_Latn fa=pes_Arab fi=fin_Latn fo=fao_Latn fr=fra_Latn gl=glg_Latn gu=guj_Gujr
    ha=hau_Latn he=heb_Hebr hi=hin_Deva hr=hrv_Latn ht=hat_Latn hu=hun_Latn hy=hye_Armn id=ind_Latn is=isl_Latn
    it=ita_Latn ja=jpn_Jpan jv=jav_Latn jw=jav_Latn ka=kat_Geor kk=kaz_Cyrl km=khm_Khmr kn=kan_Knda ko=kor_Hang
    lb=ltz_Latn ln=lin_Latn lo=lao_Laoo lt=lit_Latn lv=lvs_Latn mg=plt_Latn mi=mri_Latn mk=mkd_Cyrl ml=mal_Mlym
    mn=khk_Cyrl mr=mar_Deva ms=zsm_Latn mt=mlt_Latn my=mya_Mymr nb=nob_Latn ne=npi_Deva nl=nld_Latn nn=nno_Latn
    no=nob_Latn oc=oci_Latn pa=pan_Guru pl=pol_Latn ps=pbt_Arab pt=por_Latn ro=ron_Latn ru=rus_Cyrl sa=san_Deva
    sd=snd_Arab si=sin_Sinh sk=slk_Latn sl=slv_Latn sn=sna_Latn so=som_Latn sq=als_Latn sr=srp_Cyrl su=sun_Latn
    sv=swe_Latn sw=swh_Latn ta=tam_Taml te=tel_Telu tg=tgk_Cyrl th=tha_Thai tk=tuk_Latn tl=tgl_Latn tr=tur_Latn
    tt=tat_Cyrl uk=ukr_Cyrl ur=urd_Arab uz=uzn_Latn vi=vie_Latn yi=ydd_Hebr yo=yor_Latn yue=yue_Hant zh=zho_Hans
"""
_Files = Mapping[str, Path | zipfile.Path]
_NLLB_CODES = dict(pair.split("=") for pair in _NLLB_TABLE.split())


@dataclass(frozen=True, slots=True)
class Tokens:
    """Conversion between text and the tokens of one model.

    Parameters:
      encode: Source text to tokens, with the tokens that the model needs around them.
      decode: Target tokens, including the prefix, to text.
      reads: True for a text that is spelled without unknown tokens; a text without letters must also stay as it is.
      writes: True for a text that the target's tokens spell exactly, none of them a single byte.
      prefix: Tokens that every translation is forced to begin with.
      byte_tokens: Target tokens that stand for one byte each.
    """

    encode: Callable[[str], list[str]]
    decode: Callable[[Sequence[str]], str]
    reads: Callable[[str], bool]
    writes: Callable[[str], bool]
    prefix: tuple[str, ...] = ()
    byte_tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """A model's tokens, and the place of its other files for CTranslate2.

    Parameters:
      location: The folder of ``model.bin``, or a name for ``files``.
      files: The contents of an archive's model folder by name; None to read the folder.
    """

    tokens: Tokens
    location: str
    files: dict[str, bytes] | None = None


def layout(names: AbstractSet[str]) -> Literal["argos", "marian", "shared"] | None:
    """Recognize the layout of a translation model; ``shared`` has one sentencepiece model for all its languages.

    Parameters:
      names: The paths of its files, relative to its root.
    """
    if {"model/model.bin", "sentencepiece.model"} <= names:
        return "argos"
    if {"model.bin", "source.spm", "target.spm"} <= names:
        return "marian"
    return "shared" if "model.bin" in names and not names.isdisjoint(_SHARED_PIECES) else None


def find(path: Path, *, source: str, target: str) -> Package:
    """Recognise the layout of ``path`` and prepare its tokens for one pair of ISO 639-1 languages.

    Raises:
      ModelError: ``model_damaged`` if no layout fits or a file cannot be read, ``unsupported_pair`` if a multilingual
        model lacks one of the languages.
    """
    try:
        if path.is_dir():
            folder_files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
            tokens, folder = _recognised(folder_files, path, source, target)
            return Package(tokens, str(path / folder))
        with zipfile.ZipFile(path) as archive:
            files = {name: zipfile.Path(archive, name) for name in archive.namelist() if not name.endswith("/")}
            tokens, folder = _recognised(files, path, source, target)
            inside = {name: file.read_bytes() for name, file in files.items() if name.startswith(folder)}
            return Package(tokens, str(path), {name.removeprefix(folder): content for name, content in inside.items()})
    except (OSError, zipfile.BadZipFile, LookupError, ValueError, RuntimeError) as error:
        raise damaged(f"The translation model {path.name} cannot be read: {error}.") from error


def _recognised(files: _Files, path: Path, source: str, target: str) -> tuple[Tokens, str]:
    # Argos archives hold one folder named after the package; unpacked, it may have stayed.
    root = next((name.removesuffix("model/model.bin") for name in files if name.endswith("model/model.bin")), "")
    has = {name.removeprefix(root) for name in files if name.startswith(root)}
    match layout(has):
        case "argos":
            return _argos(files, root), f"{root}model/"
        case "marian":
            return _marian(files, target), ""
        case "shared":
            return _shared(files, next(name for name in _SHARED_PIECES if name in has), source, target), ""
    raise damaged(f"The translation model {path.name} has an unknown layout.")


def _argos(files: _Files, root: str) -> Tokens:
    pieces = _pieces(files, f"{root}sentencepiece.model")
    about = _json(files, f"{root}metadata.json")
    prefix = (str(about["target_prefix"]),) if about.get("target_prefix") else ()
    known = _vocabulary(files, "source", f"{root}model/"), _vocabulary(files, "target", f"{root}model/")
    return _tokens(pieces, pieces, known, prefix=prefix)


def _marian(files: _Files, target: str) -> Tokens:
    # A first token such as >>spa<< chooses the target language of a multilingual model; others lack these tokens.
    known = _vocabulary(files, "source"), _vocabulary(files, "target")
    before = [sign for sign in _signs(target) if sign in known[0]][:1] if any(map(_SIGN.match, known[0])) else []
    after = [] if _adds_eos(files) else [_EOS]
    return _tokens(_pieces(files, "source.spm"), _pieces(files, "target.spm"), known, before, after)


def _signs(target: str) -> tuple[str, str]:
    """The first tokens that may choose a language, by its codes of two and of three letters."""
    # Imported only for a multilingual model: the tables take longer to import than a sentence to translate.
    import langcodes

    return f">>{target}<<", f">>{langcodes.Language.get(target).to_alpha3()}<<"


def _shared(files: _Files, name: str, source: str, target: str) -> Tokens:
    pieces = _pieces(files, name)
    known = _vocabulary(files, "source")
    vocabularies = known, _vocabulary(files, "target")
    for signs in (
        [_NLLB_CODES.get(language, "") for language in (source, target)],
        [f"__{language}__" for language in (source, target)],
    ):
        if all(sign in known for sign in signs):
            after = [] if _adds_eos(files) else [_EOS]
            return _tokens(pieces, pieces, vocabularies, signs[:1], after, prefix=(signs[1],))
    if _NLLB_CODES["en"] in known or "__en__" in known:
        raise ModelError(
            f"This translation model does not know '{source}' or '{target}'.",
            code="unsupported_pair",
            hint="Install a model for the pair: octavia models list",
        )
    return _tokens(pieces, pieces, vocabularies)


def _tokens(
    source: SentencePieceProcessor,
    target: SentencePieceProcessor,
    known: tuple[AbstractSet[str], AbstractSet[str]],
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    prefix: tuple[str, ...] = (),
) -> Tokens:
    """Make the conversions of a model with two sentencepiece models, which may be one.

    Parameters:
      known: CTranslate2's vocabularies of source and target, which may lack some pieces; empty if there are none.
      before, after: Tokens around every source text.
    """

    def reads(text: str) -> bool:
        return _spells(source, known[0], text) and (has_letter(text) or source.decode(source.encode(text)) == text)

    def writes(text: str) -> bool:
        whole = target.decode(target.encode(text)) == text
        return whole and _spells(target, known[1], text) and not any(map(target.is_byte, target.encode(text)))

    return Tokens(
        encode=lambda text: [*before, *source.encode(text, out_type=str), *after],
        decode=lambda tokens: str(target.decode(list(tokens[len(prefix) :]))).strip(),
        reads=reads,
        writes=writes,
        prefix=prefix,
        byte_tokens=tuple(target.id_to_piece(place) for place in range(len(target)) if target.is_byte(place)),
    )


def _spells(pieces: SentencePieceProcessor, known: AbstractSet[str], text: str) -> bool:
    """Return True if no piece of ``text`` is unknown to sentencepiece or to CTranslate2."""
    return all(
        piece == _SPACE or (pieces.piece_to_id(piece) != pieces.unk_id() and (not known or piece in known))
        for piece in pieces.encode(text, out_type=str)
    )


def _pieces(files: _Files, name: str) -> SentencePieceProcessor:
    return SentencePieceProcessor(model_proto=files[name].read_bytes())


def _adds_eos(files: _Files) -> bool:
    """Return True if CTranslate2 itself appends ``</s>``: a second one makes a model babble."""
    return bool(_json(files, "config.json").get("add_source_eos"))


def _vocabulary(files: _Files, side: Literal["source", "target"], folder: str = "") -> frozenset[str]:
    for stem in (f"{folder}{side}_vocabulary", f"{folder}shared_vocabulary"):
        if f"{stem}.json" in files:
            return frozenset(json.loads(files[f"{stem}.json"].read_bytes()))
        if f"{stem}.txt" in files:
            return frozenset(files[f"{stem}.txt"].read_bytes().decode().split("\n"))
    return frozenset()


def _json(files: _Files, name: str) -> dict[str, Any]:
    return dict(json.loads(files[name].read_bytes())) if name in files else {}
