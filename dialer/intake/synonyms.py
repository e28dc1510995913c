"""The headers that people write, by what they mean: in English and ten other languages, without spaces and accents."""

from __future__ import annotations

import re
import unicodedata
from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS: Final[dict[str, str]] = {
    "phone": (
        "phone phones phoneno phonenr phonenumber mobile mobilephone mobilenumber mobileno mobilephonenumber "
        "cell cellphone cellno cellnumber cellphonenumber tel telno telnr telnumber telephone telephoneno "
        "telephonenumber msisdn gsm contactnumber contactno contactphone contactphonenumber primaryphone "
        "primaryphonenumber homephone workphone businessphone businessphonenumber dayphone daytimephone "
        "eveningphone customerphone customerphonenumber phonemobile phonehome phonework phoneprimary mainphone "
        "landline whatsapp whatsappnumber dialnumber e164 telefon telefonnr telefonnummer telefonmobil rufnummer "
        "handy handynr handynummer mobil mobilnr mobilnummer mobiltelefon mobilfunk mobilfunknummer festnetz "
        "festnetznummer telefono telefonomovil numerodetelefono numerotelefono movil celular celulares "
        "numerocelular numerodecelular cellulare numerodicellulare numeroditelefono numerotelefonico recapito "
        "numerodetel numerotel numtel portable telportable telephoneportable telmobile telephonemobile telfixe "
        "mobiletel telefone telemovel numerodetelefone telefonecelular numerodocelular telefoonnummer telefoon "
        "telnummer mobiel mobielnummer mobieltelefoon gsmnummer selfoon selfoonnommer sel foonnommer foon "
        "telefoonnommer kontaknommer numertelefonu telefonkomorkowy komorka nrtelefonu nrtel puhelin 電話 "
        "電話番号 電話號碼 電話號 电话 电话号码 手机 手机号 手机号码 手機 手機號碼 联系电话 聯絡電話 携帯 "
        "携帯電話 携帯番号 携帯電話番号"
    ),
    "first_name": (
        "firstname first givenname given forename fname contactfirstname customerfirstname vorname rufname "
        "prenom nombre nombres nombredepila nome primeironome voornaam roepnaam naamvoor imie 名 名字"
    ),
    "last_name": (
        "lastname last surname familyname family lname contactlastname customerlastname secondname nachname "
        "familienname zuname nom nomdefamille apellido apellidos cognome sobrenome apelido ultimonome achternaam "
        "familienaam van naamvan nazwisko 姓 姓氏 苗字"
    ),
    "full_name": (
        "name names fullname contactname customername clientname personname displayname recipientname vollername "
        "vollstandigername kundenname kunde nomcomplet nometprenom prenomnom prenometnom nomprenom "
        "nombrecompleto nombreyapellido nombreyapellidos nomecompleto nomeecognome nominativo naam volledigenaam "
        "vollenaam volnaam imieinazwisko nazwiskoiimie 姓名 氏名 名前 お名前 客户姓名 联系人"
    ),
    "timezone": (
        "timezone timezoneid tz iana ianatimezone zeitzone fuseau fuseauhoraire zonahoraria husohorario "
        "fusohorario fusoorario tijdzone tijdsone strefaczasowa 时区 時區 タイムゾーン"
    ),
    "state": (
        "state province stateprovince stateregion stateorprovince provincestate bundesland kanton provincia "
        "estado provincie provinsie wojewodztwo regione 省 省份 州 都道府県"
    ),
    "postal_code": (
        "postalcode postcode zip zipcode zippostalcode plz postleitzahl codepostal cp codigopostal cap cep "
        "postkode poskode kodpocztowy 邮编 邮政编码 郵便番号 郵遞區號"
    ),
    "consent": (
        "consent optin optedin permission consentgiven callconsent phoneconsent marketingconsent einwilligung "
        "zustimmung consentement consentimiento consenso consentimento toestemming zgoda 同意"
    ),
    "priority": (
        "priority prio prioritat priorite prioridad priorita prioridade prioriteit priorytet 优先级 優先順位 優先度"
    ),
    "agent": ("agent agentid agente voiceagent callagent"),
}
KEYS: Final = _set(
    "id key contactid customerid clientid personid userid memberid accountid leadid patientid recordid "
    "externalid crmid customernumber customerno accountnumber uuid guid kundennummer kundennr kundenid "
    "numeroclient idclient idcliente codigocliente klantnummer klantnr klientnommer idklienta 客户编号 "
    "顧客番号"
)
"""Headers of columns that may tell people apart."""
WEAK: Final = _set(
    "contact contacts number numbers no nr num numero numer nummer nommer kontakt contacto contatto kontak "
    "联系方式 連絡先 番号 号码"
)
"""Headers that may mean a number or a name or neither: their cells decide."""
_REPEATED: Final = re.compile(r" \(\d+\)$")
"""What a header got that stands there twice."""
_COUNTED: Final = re.compile(r"\d{1,2}$")


def folded(header: str) -> str:
    """A header without case, accents, spaces and signs."""
    text = unicodedata.normalize("NFKD", _REPEATED.sub("", header)).casefold().replace("ł", "l").replace("ß", "ss")
    plain = "".join(mark for mark in text if not unicodedata.combining(mark))
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", plain))


_ROLE_OF: Final = {folded(word): role for role, words in _WORDS.items() for word in words.split()}


def role_of(header: str) -> str | None:
    """What a header means, if it is known: "phone", "first_name", ...; "phone 2" means what "phone" means."""
    word = folded(header)
    return _ROLE_OF.get(word) or _ROLE_OF.get(_COUNTED.sub("", word))


def says_phone(header: str) -> bool:
    """Whether one of the words of a header means a phone, like "Telefon privat"."""
    return any(role_of(word) == "phone" for word in re.split(r"[\W_]+", header) if word)


def is_weak(header: str) -> bool:
    """Whether only the cells can tell what a header means."""
    return _COUNTED.sub("", folded(header)) in WEAK


def is_key(header: str) -> bool:
    """Whether a column under this header may tell people apart."""
    return folded(header) in KEYS
