"""Published code lists that every pack shares: currencies (ISO 4217) and countries (ISO 3166-1).

The lists are data: they change by amendment of the standard, not by a pack. Each says the date it was read.
Codes withdrawn in the last years stay, because documents of those years circulate still.
"""

from __future__ import annotations

from typing import Final

CURRENCIES_SOURCE: Final = (
    "ISO 4217 list one, read 2026-01; ANG, BGN, CUC, HRK, SLL and ZWL, withdrawn 2021-2026, kept; "
    "without XTS (testing) and XXX (no currency)"
)
_TWO = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ
GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD
MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL
"""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_NOT_APPLICABLE = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XUA"

CURRENCIES: Final[dict[str, int | None]] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
    **dict.fromkeys(_NOT_APPLICABLE.split(), None),
}
"""Alphabetic code to the number of decimals of its minor unit; None where ISO 4217 says "N.A." (gold, SDR)."""

COUNTRIES_SOURCE: Final = "ISO 3166-1 alpha-2, the 249 officially assigned codes, read 2026-01"
_COUNTRIES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW
BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI
FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN
IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF
PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE
YT ZA ZM ZW
"""
COUNTRIES: Final = frozenset(_COUNTRIES.split())

CURRENCY_NAMES: Final[dict[str, tuple[str, str]]] = {
    "AED": ("درهم امارات", "UAE dirham"),
    "AFN": ("افغانی", "afghani"),
    "AMD": ("درام ارمنستان", "Armenian dram"),
    "AZN": ("منات آذربایجان", "Azerbaijan manat"),
    "CHF": ("فرانک سوئیس", "Swiss franc"),
    "CNY": ("یوان چین", "yuan renminbi"),
    "EUR": ("یورو", "euro"),
    "GBP": ("پوند استرلینگ", "pound sterling"),
    "INR": ("روپیه هند", "Indian rupee"),
    "IQD": ("دینار عراق", "Iraqi dinar"),
    "IRR": ("ریال", "Iranian rial"),
    "JPY": ("ین ژاپن", "yen"),
    "KRW": ("وون کره", "won"),
    "KWD": ("دینار کویت", "Kuwaiti dinar"),
    "KZT": ("تنگه قزاقستان", "tenge"),
    "OMR": ("ریال عمان", "rial Omani"),
    "PKR": ("روپیه پاکستان", "Pakistan rupee"),
    "QAR": ("ریال قطر", "Qatari rial"),
    "RUB": ("روبل روسیه", "Russian ruble"),
    "SAR": ("ریال سعودی", "Saudi riyal"),
    "TMT": ("منات ترکمنستان", "Turkmenistan manat"),
    "TRY": ("لیر ترکیه", "Turkish lira"),
    "USD": ("دلار آمریکا", "US dollar"),
    "UZS": ("سوم ازبکستان", "Uzbekistan sum"),
    "XDR": ("حق برداشت مخصوص", "special drawing right"),
}
"""Persian and English names of the currencies that trade with Iran names most; others show by their code."""
