"""Quantities with their units in words: "5 km/h", "21 °C", "30%"."""

import re

from octavia.engines.spoken.words import NUMBERS, Form, cardinal, value

# Abbreviation, one, many; * marks what is feminine in Spanish.
_TABLES = {
    "en": """
        km/h kilometer_per_hour kilometers_per_hour|kph kilometer_per_hour kilometers_per_hour
        mph mile_per_hour miles_per_hour|m/s meter_per_second meters_per_second
        km² square_kilometer square_kilometers|km2 square_kilometer square_kilometers
        m² square_meter square_meters|m2 square_meter square_meters|m³ cubic_meter cubic_meters
        m3 cubic_meter cubic_meters|cm² square_centimeter square_centimeters|cm³ cubic_centimeter cubic_centimeters
        ft² square_foot square_feet
        km kilometer kilometers|m meter meters|cm centimeter centimeters|mm millimeter millimeters
        µm micrometer micrometers|nm nanometer nanometers|mi mile miles|ft foot feet|yd yard yards
        kg kilogram kilograms|g gram grams|mg milligram milligrams|lb pound pounds|lbs pound pounds|oz ounce ounces
        l liter liters|L liter liters|ml milliliter milliliters|mL milliliter milliliters|gal gallon gallons
        °C degree_Celsius degrees_Celsius|°F degree_Fahrenheit degrees_Fahrenheit|° degree degrees
        % percent percent|‰ per_mille per_mille
        Hz hertz hertz|kHz kilohertz kilohertz|MHz megahertz megahertz|GHz gigahertz gigahertz
        kB kilobyte kilobytes|KB kilobyte kilobytes|MB megabyte megabytes|GB gigabyte gigabytes|TB terabyte terabytes
        kbps kilobit_per_second kilobits_per_second|Mbps megabit_per_second megabits_per_second
        Gbps gigabit_per_second gigabits_per_second
        W watt watts|kW kilowatt kilowatts|MW megawatt megawatts|GW gigawatt gigawatts
        kWh kilowatt_hour kilowatt_hours|V volt volts|mA milliamp milliamps|mAh milliamp_hour milliamp_hours
        dB decibel decibels|hp horsepower horsepower|ha hectare hectares
        min minute minutes|mins minute minutes|hr hour hours|hrs hour hours|sec second seconds|secs second seconds
        ms millisecond milliseconds|fps frame_per_second frames_per_second|rpm revolution_per_minute
        revolutions_per_minute|x time times
    """,
    "es": """
        km/h kilómetro_por_hora kilómetros_por_hora|mph milla_por_hora* millas_por_hora
        m/s metro_por_segundo metros_por_segundo|km² kilómetro_cuadrado kilómetros_cuadrados
        km2 kilómetro_cuadrado kilómetros_cuadrados|m² metro_cuadrado metros_cuadrados
        m2 metro_cuadrado metros_cuadrados|m³ metro_cúbico metros_cúbicos|m3 metro_cúbico metros_cúbicos
        cm² centímetro_cuadrado centímetros_cuadrados|cm³ centímetro_cúbico centímetros_cúbicos
        km kilómetro kilómetros|m metro metros|cm centímetro centímetros|mm milímetro milímetros
        µm micrómetro micrómetros|nm nanómetro nanómetros|mi milla* millas
        kg kilogramo kilogramos|g gramo gramos|mg miligramo miligramos|t tonelada* toneladas
        lb libra* libras|lbs libra* libras|oz onza* onzas
        l litro litros|L litro litros|ml mililitro mililitros|mL mililitro mililitros|cl centilitro centilitros
        °C grado_Celsius grados_Celsius|°F grado_Fahrenheit grados_Fahrenheit|° grado grados
        ºC grado_Celsius grados_Celsius|% por_ciento por_ciento|‰ por_mil por_mil
        Hz hercio hercios|kHz kilohercio kilohercios|MHz megahercio megahercios|GHz gigahercio gigahercios
        kB kilobyte kilobytes|KB kilobyte kilobytes|MB megabyte megabytes|GB gigabyte gigabytes|TB terabyte terabytes
        Mbps megabit_por_segundo megabits_por_segundo|Gbps gigabit_por_segundo gigabits_por_segundo
        W vatio vatios|kW kilovatio kilovatios|MW megavatio megavatios|GW gigavatio gigavatios
        kWh kilovatio_hora kilovatios_hora|V voltio voltios|dB decibelio decibelios|CV caballo caballos
        ha hectárea* hectáreas|min minuto minutos|h hora* horas|s segundo segundos|seg segundo segundos
        ms milisegundo milisegundos|x vez* veces
    """,
}
_RANGE = {"en": "to", "es": "a"}
_MINUS = {"en": "minus", "es": "menos"}
_SPACED = ("s", "x", "t", "h")
"""Need a space before them in some languages: "the 90s" are no seconds."""


def _read(table: str) -> dict[str, tuple[str, str, Form]]:
    units = {}
    for entry in table.split("|"):
        for start in range(0, len(words := entry.split()), 3):
            short, one, many = words[start : start + 3]
            # Nothing is counted by "por ciento": treinta y uno por ciento.
            form = Form.COUNTING if one.startswith("por_") else Form.MASCULINE
            form = Form.FEMININE if one.endswith("*") else form
            units[short] = (one.rstrip("*").replace("_", " "), many.replace("_", " "), form)
    return units


_UNITS = {language: _read(table) for language, table in _TABLES.items()}


def _pattern(language: str) -> re.Pattern[str]:
    units = sorted(_UNITS[language], key=len, reverse=True)
    glued = "|".join(re.escape(unit) for unit in units if unit not in _SPACED)
    spaced = "|".join(re.escape(unit) for unit in units if unit in _SPACED)
    number = NUMBERS[language]
    return re.compile(
        rf"(?<![\w.,])(?P<minus>[-−])?(?:(?P<from>{number})\s?[-–]\s?)?(?P<number>{number})"
        rf"(?:[ \u00a0\u202f-]?(?P<unit>{glued})|[ \u00a0\u202f](?P<spaced>{spaced}))(?!\w|/\w)"
    )


_PATTERNS = {language: _pattern(language) for language in _UNITS}


def spoken(text: str, language: str) -> str:
    """Put a number before a unit, and the unit, into words; "5-10 km" becomes a range."""
    return _PATTERNS[language].sub(lambda match: _said(match, language), text)


def _said(match: re.Match[str], language: str) -> str:
    one, many, form = _UNITS[language][match["unit"] or match["spaced"]]
    amount = value(match["number"], language)
    said = f"{_amount(match['number'], language, form)} {one if amount == 1 else many}"
    if match["from"]:
        said = f"{_amount(match['from'], language, form)} {_RANGE[language]} {said}"
    return f"{_MINUS[language]} {said}" if match["minus"] else said


def _amount(number: str, language: str, form: Form) -> str:
    amount = value(number, language)
    # "Uno coma cinco": only a whole number agrees with what it counts.
    return cardinal(amount, language, form if amount == int(amount) else Form.COUNTING)
