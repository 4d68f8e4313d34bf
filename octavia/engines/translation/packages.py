"""Layouts of translation models: a folder or an ``.argosmodel`` archive, each with its own tokens.

::

    Marian, OPUS-MT      model.bin, source.spm, target.spm
    Argos                model/model.bin, sentencepiece.model, metadata.json   (also as a zip, in a folder of its own)
    NLLB, M2M100         model.bin, sentencepiece.bpe.model or sentencepiece.model, language tokens in the vocabulary
    one sentencepiece    model.bin, sentencepiece.model, no language tokens
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import langcodes
from sentencepiece import SentencePieceProcessor

from octavia.engines.failures import damaged
from octavia.errors import ModelError

_EOS = "</s>"
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
_NLLB_CODES = dict(pair.split("=") for pair in _NLLB_TABLE.split())


@dataclass(frozen=True, slots=True)
class Tokens:
    """Conversion between text and the tokens of one model.

    Parameters:
      encode: Source text to tokens, with the tokens that the model needs around them.
      decode: Target tokens, including the prefix, to text.
      prefix: Tokens that every translation is forced to begin with.
    """

    encode: Callable[[str], list[str]]
    decode: Callable[[Sequence[str]], str]
    prefix: tuple[str, ...] = ()


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


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()}

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def package(self, tokens: Tokens, folder: str) -> Package:
        return Package(tokens, str(self.root / folder))


class _Archive:
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> set[str]:
        with zipfile.ZipFile(self.path) as archive:
            return {name for name in archive.namelist() if not name.endswith("/")}

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(name)

    def package(self, tokens: Tokens, folder: str) -> Package:
        inside = {name.removeprefix(folder): name for name in self.names() if name.startswith(folder)}
        return Package(tokens, str(self.path), {name: self.read(full) for name, full in inside.items()})


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
        holder = _Folder(path) if path.is_dir() else _Archive(path)
        names = holder.names()
        # Argos archives hold one folder named after the package; unpacked, it may have stayed.
        root = next((name.removesuffix("model/model.bin") for name in names if name.endswith("model/model.bin")), "")
        has = {name.removeprefix(root) for name in names if name.startswith(root)}
        match layout(has):
            case "argos":
                return holder.package(_argos(holder, root), f"{root}model/")
            case "marian":
                return holder.package(_marian(holder, target), "")
            case "shared":
                pieces = next(name for name in _SHARED_PIECES if name in has)
                return holder.package(_shared(holder, pieces, source, target), "")
    except (OSError, zipfile.BadZipFile, ValueError, RuntimeError) as error:
        raise damaged(f"The translation model {path.name} cannot be read: {error}.") from error
    raise damaged(f"The translation model {path.name} has an unknown layout.")


def _argos(holder: _Folder | _Archive, root: str) -> Tokens:
    pieces = _pieces(holder, f"{root}sentencepiece.model")
    about = _json(holder, f"{root}metadata.json")
    prefix = (str(about["target_prefix"]),) if about.get("target_prefix") else ()
    return Tokens(_encoder(pieces), _decoder(pieces, len(prefix)), prefix)


def _marian(holder: _Folder | _Archive, target: str) -> Tokens:
    # A first token such as >>spa<< chooses the target language of a multilingual model; others lack these tokens.
    names = (target, langcodes.Language.get(target).to_alpha3())
    wanted = [f">>{name}<<" for name in names]
    known = _vocabulary(holder)
    before = [sign for sign in wanted if sign in known][:1]
    encode = _encoder(_pieces(holder, "source.spm"), before, [] if _adds_eos(holder) else [_EOS])
    return Tokens(encode, _decoder(_pieces(holder, "target.spm")))


def _shared(holder: _Folder | _Archive, name: str, source: str, target: str) -> Tokens:
    pieces = _pieces(holder, name)
    known = _vocabulary(holder)
    for signs in (
        [_NLLB_CODES.get(language, "") for language in (source, target)],
        [f"__{language}__" for language in (source, target)],
    ):
        if all(sign in known for sign in signs):
            encode = _encoder(pieces, signs[:1], [] if _adds_eos(holder) else [_EOS])
            return Tokens(encode, _decoder(pieces, 1), (signs[1],))
    if _NLLB_CODES["en"] in known or "__en__" in known:
        raise ModelError(
            f"This translation model does not know '{source}' or '{target}'.",
            code="unsupported_pair",
            hint="Install a model for the pair: octavia models list",
        )
    return Tokens(_encoder(pieces), _decoder(pieces))


def _encoder(
    pieces: SentencePieceProcessor, before: Sequence[str] = (), after: Sequence[str] = ()
) -> Callable[[str], list[str]]:
    return lambda text: [*before, *pieces.encode(text, out_type=str), *after]


def _decoder(pieces: SentencePieceProcessor, prefix: int = 0) -> Callable[[Sequence[str]], str]:
    return lambda tokens: str(pieces.decode(list(tokens[prefix:]))).strip()


def _pieces(holder: _Folder | _Archive, name: str) -> SentencePieceProcessor:
    return SentencePieceProcessor(model_proto=holder.read(name))


def _adds_eos(holder: _Folder | _Archive) -> bool:
    """Return True if CTranslate2 itself appends ``</s>``: a second one makes a model babble."""
    return bool(_json(holder, "config.json").get("add_source_eos"))


def _vocabulary(holder: _Folder | _Archive) -> frozenset[str]:
    names = holder.names()
    for stem in ("source_vocabulary", "shared_vocabulary"):
        if f"{stem}.json" in names:
            return frozenset(json.loads(holder.read(f"{stem}.json")))
        if f"{stem}.txt" in names:
            return frozenset(holder.read(f"{stem}.txt").decode().splitlines())
    return frozenset()


def _json(holder: _Folder | _Archive, name: str) -> dict[str, Any]:
    return dict(json.loads(holder.read(name))) if name in holder.names() else {}
